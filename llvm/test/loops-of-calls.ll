; A loop that calls through a pointer does not begin in the middle of half a line of the cache; others begin where LLVM has them.
; RUN: %codegen %s -o-x86_64 %t.x86_64.o -o-aarch64 %t.aarch64.o
; RUN: llvm-objdump-19 -d %t.x86_64.o | FileCheck %s
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

; CHECK-LABEL: <calls>:
; CHECK: callq *%
; CHECK: jne {{0x[0-9a-f]*[02468ace]0}} <calls+
define void @calls(ptr %object, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %table = load ptr, ptr %object
  %function = load ptr, ptr %table
  call void %function(ptr %object)
  %next = add nuw i64 %i, 1
  %more = icmp ne i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}

; CHECK-LABEL: <counts>:
; CHECK: jne 0x10 <counts+
define i64 @counts(ptr %list) {
entry:
  br label %loop
loop:
  %at = phi ptr [ %list, %entry ], [ %next, %loop ]
  %sum = phi i64 [ 0, %entry ], [ %more, %loop ]
  %value = load i64, ptr %at
  %more = add i64 %sum, %value
  %place = getelementptr i64, ptr %at, i64 1
  %next = load ptr, ptr %place
  %end = icmp eq ptr %next, null
  br i1 %end, label %done, label %loop
done:
  ret i64 %more
}
