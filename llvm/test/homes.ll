; A value that is listed often has a home on the stack, unless it changes in a cycle, be it one that has two entries.
; RUN: %opt -passes='transproc-sites<home=2>' -S %s | FileCheck %s
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare void @outside()
declare void @take(i64, i64)

; CHECK-LABEL: define void @irreducible(
; CHECK: %home = alloca i64
; CHECK-NOT: alloca
; CHECK: store i64 %fixed, ptr %home
; CHECK-NOT: store
; CHECK: ret void
define void @irreducible(i1 %where, i64 %fixed, i64 %start) {
entry:
  br i1 %where, label %a, label %b
a:
  %x = phi i64 [ %start, %entry ], [ %y.next, %b ]
  call void @outside()
  %x.next = mul i64 %x, 3
  br label %b
b:
  %y = phi i64 [ %start, %entry ], [ %x.next, %a ]
  call void @outside()
  %y.next = mul i64 %y, 5
  call void @outside()
  %more = icmp ult i64 %y.next, %start
  br i1 %more, label %a, label %exit
exit:
  call void @take(i64 %y.next, i64 %fixed)
  ret void
}
