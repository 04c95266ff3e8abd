; A switch by which every iteration of a loop goes on, over a byte, becomes `goto *label[opcode]`; its loop needs no look then, but a second table.
; RUN: %opt -passes=transproc-computed-goto -S %s | FileCheck %s
; RUN: %opt -passes=transproc-computed-goto,transproc-sites,transproc-dispatch -S %s | FileCheck --check-prefix=END %s
; END-DAG: @goto.run = private constant [256 x ptr] [ptr blockaddress(@run, %exit), ptr blockaddress(@run, %add), ptr blockaddress(@run, %double), {{.*}}, ptr blockaddress(@run, %exit)], section "transproc_labels", align 8
; END-DAG: @points.run = private constant [256 x ptr] [ptr blockaddress(@run, %exit), ptr blockaddress(@run, %[[ADD:point[0-9]*]]), ptr blockaddress(@run, %[[DOUBLE:point[0-9]*]]), {{.*}}, ptr blockaddress(@run, %exit)], section "transproc_points", align 8

; CHECK-LABEL: define i64 @run(
; CHECK: %[[OPCODE:.*]] = zext i8 %op to i64
; CHECK-NEXT: switch i64 %[[OPCODE]], label %switch.unreachable [
; CHECK-NEXT: i64 0, label %exit
; CHECK-NEXT: i64 1, label %add
; CHECK: i64 255, label %exit
; CHECK-NEXT: ], !transproc.dispatch
; END-LABEL: define i64 @run(
; END-NOT: @__transproc_poll
; END: load volatile ptr
; END: indirectbr ptr {{.*}}, [label %exit, label %add, label %double, label %[[ADD]], label %[[DOUBLE]]], !prof
; END-LABEL: define internal void @run.resume(
define i64 @run(ptr %code, i64 %a, i64 %b, i64 %c, i64 %d) {
entry:
  br label %next
next:
  %pc = phi ptr [ %code, %entry ], [ %after, %add ], [ %after, %double ]
  %sum = phi i64 [ %a, %entry ], [ %sum1, %add ], [ %sum2, %double ]
  %op = load i8, ptr %pc
  %after = getelementptr i8, ptr %pc, i64 1
  switch i8 %op, label %exit [
    i8 1, label %add
    i8 2, label %double
    i8 3, label %add
    i8 4, label %double
    i8 5, label %add
    i8 6, label %double
    i8 7, label %add
    i8 8, label %double
    i8 9, label %add
    i8 10, label %double
    i8 11, label %add
    i8 12, label %double
    i8 13, label %add
    i8 14, label %double
    i8 15, label %add
    i8 16, label %double
    i8 17, label %add
    i8 18, label %double
    i8 19, label %add
    i8 20, label %double
    i8 21, label %add
    i8 22, label %double
    i8 23, label %add
    i8 24, label %double
    i8 25, label %add
    i8 26, label %double
    i8 27, label %add
    i8 28, label %double
    i8 29, label %add
    i8 30, label %double
    i8 31, label %add
    i8 32, label %double
    i8 33, label %add
    i8 34, label %double
    i8 35, label %add
    i8 36, label %double
    i8 37, label %add
    i8 38, label %double
    i8 39, label %add
    i8 40, label %double
  ]
add:
  %sum1 = add i64 %sum, %b
  br label %next
double:
  %sum2 = shl i64 %sum, 1
  br label %next
exit:
  %result = phi i64 [ %sum, %next ]
  %cd = mul i64 %c, %d
  %r = xor i64 %result, %cd
  ret i64 %r
}

; an opcode of any size would need a comparison before the table
; CHECK-LABEL: define i64 @wide(
; CHECK-NOT: !transproc.dispatch
; CHECK: ret i64
define i64 @wide(ptr %code) {
entry:
  br label %next
next:
  %pc = phi ptr [ %code, %entry ], [ %after, %add ], [ %after, %double ]
  %sum = phi i64 [ 0, %entry ], [ %sum1, %add ], [ %sum2, %double ]
  %op = load i32, ptr %pc
  %after = getelementptr i32, ptr %pc, i64 1
  switch i32 %op, label %exit [
    i32 1, label %add
    i32 2, label %double
    i32 3, label %add
    i32 4, label %double
    i32 5, label %add
    i32 6, label %double
    i32 7, label %add
    i32 8, label %double
    i32 9, label %add
    i32 10, label %double
    i32 11, label %add
    i32 12, label %double
    i32 13, label %add
    i32 14, label %double
    i32 15, label %add
    i32 16, label %double
    i32 17, label %add
    i32 18, label %double
    i32 19, label %add
    i32 20, label %double
    i32 21, label %add
    i32 22, label %double
    i32 23, label %add
    i32 24, label %double
    i32 25, label %add
    i32 26, label %double
    i32 27, label %add
    i32 28, label %double
    i32 29, label %add
    i32 30, label %double
    i32 31, label %add
    i32 32, label %double
    i32 33, label %add
    i32 34, label %double
    i32 35, label %add
    i32 36, label %double
    i32 37, label %add
    i32 38, label %double
    i32 39, label %add
    i32 40, label %double
  ]
add:
  %sum1 = add i64 %sum, 1
  br label %next
double:
  %sum2 = shl i64 %sum, 1
  br label %next
exit:
  ret i64 %sum
}

; a case that the opcode, a byte, cannot have is dropped, together with what its block took from here
; CHECK-LABEL: define i64 @excluded(
; CHECK: i64 255, label %exit
; CHECK-NEXT: ], !transproc.dispatch
; CHECK: exit:
; CHECK-NEXT: phi i64 [ %sum, %next ], [ %sum, %next ],
; CHECK: never:
; CHECK-NEXT: phi i64 [ %sum2, %double ]{{$}}
define i64 @excluded(ptr %code) {
entry:
  br label %next
next:
  %pc = phi ptr [ %code, %entry ], [ %after, %add ], [ %after, %double ]
  %sum = phi i64 [ 0, %entry ], [ %sum1, %add ], [ %sum2, %double ]
  %byte = load i8, ptr %pc
  %op = zext i8 %byte to i16
  %after = getelementptr i8, ptr %pc, i64 1
  switch i16 %op, label %exit [
    i16 1, label %add
    i16 2, label %double
    i16 3, label %add
    i16 4, label %double
    i16 5, label %add
    i16 6, label %double
    i16 7, label %add
    i16 8, label %double
    i16 9, label %add
    i16 10, label %double
    i16 11, label %add
    i16 12, label %double
    i16 13, label %add
    i16 14, label %double
    i16 15, label %add
    i16 16, label %double
    i16 17, label %add
    i16 18, label %double
    i16 19, label %add
    i16 20, label %double
    i16 21, label %add
    i16 22, label %double
    i16 23, label %add
    i16 24, label %double
    i16 25, label %add
    i16 26, label %double
    i16 27, label %add
    i16 28, label %double
    i16 29, label %add
    i16 30, label %double
    i16 31, label %add
    i16 32, label %double
    i16 33, label %add
    i16 34, label %double
    i16 35, label %add
    i16 36, label %double
    i16 37, label %add
    i16 38, label %double
    i16 39, label %add
    i16 40, label %double
    i16 256, label %exit
    i16 300, label %never
  ]
add:
  %sum1 = add i64 %sum, 1
  br label %next
double:
  %sum2 = shl i64 %sum, 1
  %large = icmp ugt i64 %sum2, 1000
  br i1 %large, label %never, label %next
exit:
  %result = phi i64 [ %sum, %next ], [ %sum, %next ]
  ret i64 %result
never:
  %other = phi i64 [ %sum, %next ], [ %sum2, %double ]
  ret i64 %other
}
