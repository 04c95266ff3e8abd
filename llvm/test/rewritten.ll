; Loop strength reduction brings the array's address to the loop's point as (rows + x) - x, which would lie in a register: the list of
; stack objects names the array itself.
; RUN: %codegen -O2 %s -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
; RUN: llvm-readobj-19 --stackmap %t.x86_64.o | FileCheck %s
; RUN: llvm-readobj-19 --stackmap %t.aarch64.o | FileCheck %s
; CHECK: #4: Constant 2,
; CHECK: #7: Constant 1,
; CHECK-NEXT: #8: Direct
; CHECK-NEXT: #9: ConstantIndex {{.*}} (1125899906843024)
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "loongarch64-unknown-linux-musl"
@column = global i32 0
@turns = global i64 0
declare void @llvm.assume(i1)

define i32 @search() {
  %rows = alloca [10 x [10 x i32]], align 4
  %first = load i32, ptr @column, align 4
  br label %outer
outer:
  %c = phi i32 [ %next, %turn ], [ %first, %0 ]
  %few = icmp ult i32 %c, 7
  call void @llvm.assume(i1 %few)
  br label %inner
inner:
  %i = phi i32 [ %j, %on ], [ 0, %outer ]
  %more = icmp ult i32 %i, 10
  br i1 %more, label %look, label %turn
look:
  %row = zext nneg i32 %i to i64
  %now = load i32, ptr @column, align 4
  %at = zext i32 %now to i64
  %place = getelementptr inbounds [10 x [10 x i32]], ptr %rows, i64 0, i64 %row, i64 %at
  %value = load i32, ptr %place, align 4
  %low = trunc i32 %value to i8
  %zero = icmp eq i8 %low, 0
  br i1 %zero, label %on, label %found
found:
  ret i32 0
on:
  %t = load i64, ptr @turns, align 8
  %u = add i64 %t, 1
  store i64 %u, ptr @turns, align 8
  %j = add nuw nsw i32 %i, 1
  br label %inner
turn:
  %last = load i32, ptr @column, align 4
  %next = add i32 %last, 1
  store i32 %next, ptr @column, align 4
  br label %outer
}
