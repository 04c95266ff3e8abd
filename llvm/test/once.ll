; The back ends do not optimise a resume entry without a loop, which runs once, unless code is to be small; one with a loop they do.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
; RUN: %codegen %s -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
; RUN: %same_lists %t.x86_64.o %t.aarch64.o
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)

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
