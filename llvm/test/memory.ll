; Values of a resume entry that are listed often stay in memory: a loop over a table fills their slots, and lists name them. What is missing
; in a list is found there as well.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
; RUN: not %opt "-passes=transproc-sites<forget=2>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=FORGOTTEN %s
; RUN: %codegen %s -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
; RUN: %same_lists %t.x86_64.o %t.aarch64.o
; RUN: llvm-readobj-19 --stackmap %t.x86_64.o | FileCheck --check-prefix=MAPS %s
; RUN: llvm-readobj-19 --stackmap %t.aarch64.o | FileCheck --check-prefix=MAPS %s
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"
target triple = "loongarch64-unknown-linux-musl"

declare void @outside()
declare void @take(i64, i32, double, i1, ptr, i16)

; sites 0 to 4 list the same values and share a row; behind the last one nothing is live. %bool is an image, which code of the sites takes
; CHECK-DAG: @many.resume.slots = internal constant [8 x i16] [i16 1, i16 2, i16 3, i16 0, i16 4, i16 5, i16 -1, i16 -1]
; CHECK-DAG: @many.resume.sites = internal constant [6 x i32] [i32 0, i32 0, i32 0, i32 0, i32 0, i32 7]
; CHECK-NOT: @few.resume.slots

; FORGOTTEN: a value of many is used behind a site, but not listed there: i16 %f
define void @many(i64 %a, i32 %b, double %c, i1 %d, ptr %e, i16 %f) {
  call void @outside()
  call void @outside()
  call void @outside()
  call void @outside()
  call void @outside()
  call void @take(i64 %a, i32 %b, double %c, i1 %d, ptr %e, i16 %f)
  ret void
}

; CHECK-LABEL: define internal void @many.resume(
; CHECK: %unread = alloca i64
; CHECK: %slots = alloca [6 x ptr]
; CHECK: icmp ult i64 %{{.*}}, 6
; CHECK: gc.statepoint{{.*}} [ "deopt"(i64 6, ptr %[[A:[0-9]+]], ptr %[[B:[0-9]+]], ptr %[[C:[0-9]+]], i8 %{{[0-9]+}}, ptr %{{[0-9]+}}, ptr %{{[0-9]+}}) ]
; CHECK: i64 10, label %continue
; CHECK: {{^}}site:
; CHECK-NEXT: getelementptr inbounds i8, ptr %record, i64 104
; CHECK-NEXT: load i8
; CHECK-NEXT: trunc
; CHECK-NEXT: br label

; MAPS: #4: Constant 6,
; MAPS: #5: Direct
; MAPS-NEXT: #6: Direct
; MAPS-NEXT: #7: Direct

; a table would be more than the code
; CHECK-LABEL: define internal void @few.resume(
; CHECK-NOT: %slots
define i64 @few(i64 %a) {
  call void @outside()
  call void @outside()
  ret i64 %a
}
