; A call becomes a statepoint whose list has a header and the values that are live after it; the function gets a resume entry.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)
declare void @object(ptr)

; header: 1 narrow value, result class 1 (integer) of 2^3 bytes = 0x0d
; CHECK-LABEL: define i64 @caller(i64 %a, i64 %b)
; CHECK: @llvm.experimental.gc.statepoint.p0(i64 [[#%d,ID:]], i32 0, ptr elementtype(i64 (i64)) @outside, {{.*}}[ "deopt"(i64 55834574849, i64 %b) ]
; CHECK: @llvm.experimental.gc.result.i64
define i64 @caller(i64 %a, i64 %b) {
  %r = call i64 @outside(i64 %a)
  %s = add i64 %r, %b
  ret i64 %s
}

; the list of objects (1; 8 bytes, aligned to 4) follows; i1 is listed as i8; a void call has no result
; CHECK-LABEL: define i64 @objects(i1 %flag)
; CHECK: zext i1 %flag to i8
; CHECK: @object, {{.*}}[ "deopt"(i64 1, i8 %{{.*}}, i64 1, ptr %o, i64 1125899906842632) ]
define i64 @objects(i1 %flag) {
  %o = alloca [2 x i32], align 4
  call void @object(ptr %o)
  %v = load i64, ptr %o, align 4
  %w = select i1 %flag, i64 %v, i64 0
  ret i64 %w
}

; a function that cannot reach a point has no sites, and calls of it are none
; CHECK-LABEL: define internal i64 @leaf(
; CHECK-NOT: statepoint
; CHECK-LABEL: define i64 @uses_leaf(
; CHECK-NOT: statepoint
define internal i64 @leaf(i64 %x) {
  %y = mul i64 %x, 3
  ret i64 %y
}
define i64 @uses_leaf(i64 %x) {
  %y = call i64 @leaf(i64 %x)
  ret i64 %y
}

; CHECK-LABEL: define internal void @caller.resume(ptr %record)
; CHECK-SAME: section ".text.resume.caller"
; CHECK: getelementptr inbounds i8, ptr %record, i64 16
; CHECK: getelementptr inbounds i8, ptr %record, i64 32
; CHECK: switch i64
; CHECK: getelementptr inbounds i8, ptr %record, i64 80
; CHECK: getelementptr inbounds i8, ptr %record, i64 8
; CHECK-NEXT: [[OUTER:%.*]] = load ptr, ptr
; CHECK: getelementptr inbounds i8, ptr [[OUTER]], i64 32
; CHECK: ret void
