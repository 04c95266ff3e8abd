; setjmp: what is live at it lies in stack objects, and the call notes the frame's mark and the site. It is no statepoint.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s

declare i32 @setjmp(ptr) returns_twice
declare i32 @__sigsetjmp(ptr, i32) returns_twice
declare i32 @vfork() returns_twice
declare i64 @outside(i64)

; CHECK-LABEL: define i64 @caller(ptr %buffer, i64 %a)
; CHECK: [[HOME:%home.*]] = alloca i64
; CHECK: [[MARK:%jump.mark]] = alloca i64
; CHECK-DAG: store i64 %a, ptr [[HOME]]
; CHECK-DAG: store volatile i64 0, ptr [[MARK]]
; CHECK: [[R:%.*]] = call i32 @__transproc_setjmp(ptr %buffer, ptr [[MARK]], i64 {{-?[0-9]+}}) [[TWICE:#[0-9]+]]
; the first value is in its home object, so only the result is listed; then come two objects (bit 33: with setjmp)
; CHECK: @outside, {{.*}}[ "deopt"(i64 55834574849, i32 [[R]], i64 8589934594, ptr [[HOME]], i64 {{.*}}, ptr [[MARK]], i64 {{[0-9]+}}) ]
define i64 @caller(ptr %buffer, i64 %a) {
  %r = call i32 @setjmp(ptr %buffer) returns_twice
  %s = call i64 @outside(i64 %a)
  %w = zext i32 %r to i64
  %t = add i64 %s, %w
  %u = add i64 %t, %a
  ret i64 %u
}

; CHECK-LABEL: define i64 @masked(
; CHECK: call i32 @__transproc_sigsetjmp(ptr %buffer, i32 1, ptr %jump.mark, i64 {{-?[0-9]+}}) [[TWICE]]
define i64 @masked(ptr %buffer) {
  %r = call i32 @__sigsetjmp(ptr %buffer, i32 1) returns_twice
  %w = zext i32 %r to i64
  %s = call i64 @outside(i64 %w)
  ret i64 %s
}

; nothing in it can be stopped
; CHECK-LABEL: define internal i32 @alone(
; CHECK-NEXT: call i32 @setjmp(ptr %buffer)
define internal i32 @alone(ptr %buffer) {
  %r = call i32 @setjmp(ptr %buffer) returns_twice
  ret i32 %r
}

; other functions that return twice pin their caller
; CHECK-LABEL: define i64 @forks(
; CHECK-NOT: statepoint
; CHECK: ret i64
define i64 @forks() {
  %r = call i32 @vfork() returns_twice
  %s = call i64 @outside(i64 0)
  ret i64 %s
}

; longjmp enters behind the call (here the first site, id 0), with all values from their homes, and its own value from the record
; CHECK-LABEL: define internal void @caller.resume(
; CHECK: %objects = load ptr
; CHECK-NEXT: [[PLACE:%.*]] = getelementptr inbounds i8, ptr %objects, i64 0
; CHECK-NEXT: [[HOMES:%home.*]] = load ptr, ptr [[PLACE]]
; CHECK: [[VALUE:%.*]] = load i64, ptr [[HOMES]]
; CHECK-NEXT: store i64 [[VALUE]], ptr
; CHECK: i64 0, label %[[SITE:.*]]
; CHECK: {{^}}[[SITE]]:
; CHECK-NEXT: getelementptr inbounds i8, ptr %record, i64 32
; CHECK-NEXT: load i32
; CHECK: attributes [[TWICE]] = {{.*}}returns_twice
