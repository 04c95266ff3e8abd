; A value that is live behind a site and missing in its list is found when the resume entry is made, also where another site lists it.
; RUN: %opt -passes=transproc-sites -S %s -o /dev/null
; RUN: not %opt "-passes=transproc-sites<forget=0>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=ARGUMENT %s
; RUN: not %opt "-passes=transproc-sites<forget=1>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=ELSEWHERE %s
; RUN: not %opt "-passes=transproc-sites<forget=2>" -S %s -o /dev/null 2>&1 | FileCheck --check-prefix=ELSEWHERE %s
; RUN: %opt "-passes=transproc-sites<forget=3>" -S %s -o /dev/null
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)

; ARGUMENT: a value of argument is used behind a site, but not listed there: i64 %a
define i64 @argument(i64 %a) {
  %r = call i64 @outside(i64 1)
  %s = add i64 %r, %a
  ret i64 %s
}

; ELSEWHERE: a value of elsewhere is used behind a site, but not listed there: {{.*}} = phi i64
define i64 @elsewhere(i64 %start, i1 %way) {
entry:
  %x = call i64 @outside(i64 %start)
  br label %loop
loop:
  %v = phi i64 [ %x, %entry ], [ %next, %again ]
  %r = call i64 @outside(i64 2)
  br label %again
again:
  %q = call i64 @outside(i64 %v)
  %next = add i64 %q, %v
  %more = icmp slt i64 %next, 100
  br i1 %more, label %loop, label %end
end:
  ret i64 %next
}
