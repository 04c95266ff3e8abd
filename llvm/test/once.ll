; The back ends do not optimise a resume entry without a loop, which runs once, unless code is to be small; one with a loop they do.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
; RUN: %codegen %s -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
; RUN: %same_lists %t.x86_64.o %t.aarch64.o
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)
declare void @nothing()

; CHECK: define internal void @straight.resume(ptr %record) [[ONCE:#[0-9]+]]
define i64 @straight(i64 %a) {
  %r = call i64 @outside(i64 1)
  %s = add i64 %r, %a
  ret i64 %s
}

; CHECK: define internal void @small.resume(ptr %record) [[SMALL:#[0-9]+]]
define i64 @small(i64 %a) optsize {
  %r = call i64 @outside(i64 1)
  %s = add i64 %r, %a
  ret i64 %s
}

; what calls have returned needs no block for each site, and what has nothing left to do before a join neither
; CHECK: define internal void @results.resume(ptr %record)
; CHECK: getelementptr inbounds i8, ptr %record, i64 32
; CHECK: switch i64 %{{.*}}, label %bad.site [
; CHECK-NEXT: i64 0, label %[[AFTER:continue.*]]
; CHECK-NEXT: i64 2, label %join
; CHECK: {{^}}[[AFTER]]:
; CHECK-NEXT: [[TAKEN:%.*]] = load i64, ptr
; CHECK-NEXT: icmp eq i64 [[TAKEN]], 0
; CHECK-NOT: {{^}}site
; CHECK: ret void
define void @results() {
  %r = call i64 @outside(i64 1)
  %zero = icmp eq i64 %r, 0
  br i1 %zero, label %again, label %join
again:
  call void @nothing()
  br label %join
join:
  call void @nothing()
  ret void
}

; CHECK: define internal void @looping.resume(ptr %record) [[LOOPING:#[0-9]+]]
define i64 @looping(i64 %start) {
entry:
  br label %loop
loop:
  %v = phi i64 [ %start, %entry ], [ %q, %loop ]
  %q = call i64 @outside(i64 %v)
  %more = icmp slt i64 %q, 100
  br i1 %more, label %loop, label %end
end:
  ret i64 %q
}

; CHECK-DAG: attributes [[ONCE]] = {{.*}}optnone
; CHECK-DAG: attributes [[SMALL]] = {{.*}}optsize
; CHECK-DAG: attributes [[LOOPING]] = { noinline
; CHECK-NOT: attributes [[LOOPING]] = {{.*}}optnone
