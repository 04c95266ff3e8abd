; A value that is live behind a call with a landing pad and missing in its list is found, whether it is read where the call returns, in the landing
; pad, or behind a call of the handler; also where another call lists it.
; RUN: %opt -passes=transproc-sites -S %s -o /dev/null
; RUN: not %opt "-passes=transproc-sites<forget=1>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=RETURNS %s
; RUN: not %opt "-passes=transproc-sites<forget=2>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=LANDS %s
; RUN: not %opt "-passes=transproc-sites<forget=3>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=HANDLES %s
; RUN: not %opt "-passes=transproc-sites<forget=4>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=CALLS %s
; RUN: not %opt "-passes=transproc-sites<forget=5>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=CALLS %s
; RUN: not %opt "-passes=transproc-sites<forget=6>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=JOINS %s
; RUN: not %opt "-passes=transproc-sites<forget=7>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=JOINS %s
; RUN: %opt "-passes=transproc-sites<forget=8>" -S %s -o /dev/null
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)
declare i32 @__gxx_personality_v0(...)

; RETURNS: a value of returns is used behind a site, but not listed there: i64 %a
define i64 @returns(i64 %a) personality ptr @__gxx_personality_v0 {
  %f0 = call i64 @outside(i64 0)
  %r = invoke i64 @outside(i64 1) to label %normal unwind label %pad
normal:
  %s = add i64 %r, %a
  ret i64 %s
pad:
  %l = landingpad { ptr, i32 } catch ptr null
  ret i64 0
}

; LANDS: a value of lands is used behind a site, but not listed there: i64 %a
define i64 @lands(i64 %a) personality ptr @__gxx_personality_v0 {
  %f0 = call i64 @outside(i64 0)
  %f1 = call i64 @outside(i64 1)
  %r = invoke i64 @outside(i64 2) to label %normal unwind label %pad
normal:
  ret i64 %r
pad:
  %l = landingpad { ptr, i32 } catch ptr null
  %s = add i64 %a, 1
  ret i64 %s
}

; Of two calls that share a landing pad the second one's list lacks the value, which is read behind the site in the handler.
; HANDLES: a value of handles is used behind a site, but not listed there: i64 %a
define i64 @handles(i64 %a) personality ptr @__gxx_personality_v0 {
  %f0 = call i64 @outside(i64 0)
  %f1 = call i64 @outside(i64 1)
  %q = invoke i64 @outside(i64 2) to label %more unwind label %pad
more:
  %r = invoke i64 @outside(i64 3) to label %normal unwind label %pad
normal:
  ret i64 %r
pad:
  %l = landingpad { ptr, i32 } catch ptr null
  %s = add i64 %a, 1
  ret i64 %s
}

; Read only behind the handler's own call, whose list may lack it as well.
; CALLS: a value of calls is used behind a site, but not listed there: i64 %a
define i64 @calls(i64 %a) personality ptr @__gxx_personality_v0 {
  %f0 = call i64 @outside(i64 0)
  %f1 = call i64 @outside(i64 1)
  %f2 = call i64 @outside(i64 2)
  %f3 = call i64 @outside(i64 3)
  %r = invoke i64 @outside(i64 4) to label %normal unwind label %pad
normal:
  ret i64 %r
pad:
  %l = landingpad { ptr, i32 } cleanup
  %q = call i64 @outside(i64 5)
  %s = add i64 %q, %a
  ret i64 %s
}

; A value of a loop, which comes another way into each turn: at the point (6), and at the call (7).
; JOINS: a value of joins is used behind a site, but not listed there: {{.*}} = phi i64
define i64 @joins(i64 %start) personality ptr @__gxx_personality_v0 {
entry:
  %f0 = call i64 @outside(i64 0)
  %f1 = call i64 @outside(i64 1)
  %f2 = call i64 @outside(i64 2)
  %f3 = call i64 @outside(i64 3)
  %f4 = call i64 @outside(i64 4)
  %f5 = call i64 @outside(i64 5)
  br label %loop
loop:
  %v = phi i64 [ %start, %entry ], [ %w, %again ]
  %r = invoke i64 @outside(i64 6) to label %again unwind label %pad
pad:
  %l = landingpad { ptr, i32 } catch ptr null
  %u = add i64 %v, 1
  br label %again
again:
  %w = phi i64 [ %r, %loop ], [ %u, %pad ]
  %more = icmp slt i64 %w, 100
  br i1 %more, label %loop, label %end
end:
  ret i64 %w
}
