; Calls at the end of a function become jumps, so they are no sites there, but in the resume entry, which must hand on the result.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
; RUN: %codegen %s -o-x86_64 %t.x.o -o-aarch64 %t.a.o
; RUN: llvm-objdump-19 -d %t.x.o | FileCheck --check-prefix=X86 %s
; RUN: llvm-objdump-19 -d %t.a.o | FileCheck --check-prefix=ARM %s
declare i64 @outside(i64)
declare void @nothing(ptr)
declare i32 @unextended(i32)
declare i64 @seven(i64, i64, i64, i64, i64, i64, i64)

; with nothing but such a call there is no resume entry either
; CHECK-LABEL: define i64 @only(
; CHECK: %r = tail call i64 @outside(i64 %b)
; CHECK-NEXT: ret i64 %r
; X86-LABEL: <only>:
; X86-NOT: push
; X86: jmp
; ARM-LABEL: <only>:
; ARM: b
; ARM-NOT: ret
define i64 @only(i64 %a, i64 %b) {
  %r = call i64 @outside(i64 %b)
  ret i64 %r
}

; CHECK-LABEL: define i64 @also(
; CHECK: gc.statepoint
; CHECK: %r = tail call i64 %f(i64 %x)
; CHECK-NEXT: ret i64 %r
; X86-LABEL: <also>:
; X86: call
; X86: jmp{{.*}}*
; ARM-LABEL: <also>:
; ARM: bl
; ARM: br
define i64 @also(ptr %table, i64 %a) {
  %x = call i64 @outside(i64 %a)
  %f = load ptr, ptr %table
  %r = call i64 %f(i64 %x)
  ret i64 %r
}

; a return that others share is no obstacle
; CHECK-LABEL: define i64 @shared(
; CHECK: tail call i64 @outside(i64 %a)
; CHECK-NEXT: ret
; CHECK: tail call i64 @outside(i64 7)
; CHECK-NEXT: ret
define i64 @shared(i64 %a) {
  %c = icmp eq i64 %a, 1
  br i1 %c, label %one, label %two
one:
  %r1 = call i64 @outside(i64 %a)
  br label %end
two:
  %r2 = call i64 @outside(i64 7)
  br label %end
end:
  %r = phi i64 [ %r1, %one ], [ %r2, %two ]
  ret i64 %r
}

; a jump's target is in no register that survives a call, so it must not be listed
; CHECK-LABEL: define i64 @listed(
; CHECK: gc.statepoint{{.*}}@outside
; CHECK: gc.statepoint{{.*}}%f
; X86-LABEL: <listed>:
; X86: call
; X86: call
; X86: ret
define i64 @listed(ptr %f, i64 %a) {
  %x = call i64 @outside(i64 %a)
  %r = call i64 %f(i64 %x)
  ret i64 %r
}

; the callee would find its argument in a frame that is gone
; CHECK-LABEL: define void @object(
; CHECK: gc.statepoint
define void @object() {
  %o = alloca i64
  call void @nothing(ptr %o)
  ret void
}

; arguments on the stack, another result, one that is extended by the caller only
; CHECK-LABEL: define i64 @stack(
; CHECK: gc.statepoint
define i64 @stack(i64 %a) {
  %r = call i64 @seven(i64 %a, i64 %a, i64 %a, i64 %a, i64 %a, i64 %a, i64 %a)
  ret i64 %r
}
; CHECK-LABEL: define i32 @narrowed(
; CHECK: gc.statepoint
define i32 @narrowed(i64 %a) {
  %r = call i64 @outside(i64 %a)
  %n = trunc i64 %r to i32
  ret i32 %n
}
; CHECK-LABEL: define signext i32 @extended(
; CHECK: gc.statepoint
define signext i32 @extended(i32 signext %a) {
  %r = call i32 @unextended(i32 signext %a)
  ret i32 %r
}

; CHECK-NOT: @only.resume
; CHECK-LABEL: define internal void @also.resume(
; CHECK: gc.statepoint{{.*}}ptr elementtype(i64 (i64)) %
; CHECK-NOT: @shared.resume
