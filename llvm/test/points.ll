; Loops: short ones and those that stop at a call need no point; counted ones get a copy for long runs that is cut into strips.
; RUN: %opt -passes=transproc-sites -S %s | FileCheck %s
; RUN: %opt -passes='transproc-sites<no-strip-mine>' -S %s | FileCheck --check-prefix=LARGE %s
target datalayout = "e-m:e-i64:64-i128:128-n32:64-S128"

declare i64 @outside(i64)

; CHECK-LABEL: define void @short(
; CHECK-NOT: statepoint
; CHECK: ret void
define void @short(ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %n, %loop ]
  store volatile i64 %i, ptr %p
  %n = add i64 %i, 1
  %c = icmp ult i64 %n, 100
  br i1 %c, label %loop, label %exit
exit:
  ret void
}

; CHECK-LABEL: define void @calls(
; CHECK: statepoint{{.*}}@outside
; CHECK-NOT: i32 4, ptr elementtype(void ()) null
; CHECK: ret void
define void @calls(ptr %p, i64 %end) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %n, %loop ]
  %r = call i64 @outside(i64 %i)
  %n = add i64 %i, %r
  %c = icmp ult i64 %n, %end
  br i1 %c, label %loop, label %exit
exit:
  ret void
}

; CHECK-LABEL: define void @counted(
; CHECK: icmp ugt i64 %{{.*}}, 4096
; CHECK: strip:
; CHECK: statepoint.p0(i64 [[#%d,]], i32 4, ptr elementtype(void ()) null
; CHECK: loop:
; CHECK-NOT: statepoint
; CHECK: ret void
define void @counted(ptr %p, i64 %end) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %n, %loop ]
  store volatile i64 %i, ptr %p
  %n = add i64 %i, 1
  %c = icmp ult i64 %n, %end
  br i1 %c, label %loop, label %exit
exit:
  ret void
}

; many values pass through: the point is aside, and the iterations of an innermost loop are counted, on the back edge
; CHECK-LABEL: define i64 @searching(
; CHECK: loop:
; CHECK: br i1 %z, label %exit, label %[[BACK:.*]]
; CHECK: [[BACK]]:
; CHECK: %[[LEFT:.*]] = sub i32 %{{.*}}, 1
; CHECK: %[[OFTEN:.*]] = icmp eq i32 %[[LEFT]], 0
; CHECK: br i1 %[[OFTEN]], label %point, label %loop
; CHECK: point:
; CHECK: statepoint.p0(i64 [[#%d,]], i32 4, ptr elementtype(void ()) null
define i64 @searching(ptr %p, i64 %a, i64 %b, i64 %c, i64 %d) {
entry:
  br label %loop
loop:
  %q = phi ptr [ %p, %entry ], [ %n, %loop ]
  %n = load ptr, ptr %q
  %z = icmp eq ptr %n, null
  br i1 %z, label %exit, label %loop
exit:
  %ab = xor i64 %a, %b
  %cd = xor i64 %c, %d
  %r = mul i64 %ab, %cd
  ret i64 %r
}

; an outer loop looks on its way back whether somebody waits; the inner one is short
; CHECK-LABEL: define i64 @outer(
; CHECK: inner:
; CHECK-NOT: statepoint
; CHECK: latch.outer_crit_edge:
; CHECK: %[[WORD:.*]] = load volatile i32, ptr @__transproc_poll
; CHECK: %[[WAITS:.*]] = icmp ne i32 %[[WORD]], 0
; CHECK: br i1 %[[WAITS]], label %point, label %outer
; CHECK: point:
; CHECK: statepoint.p0(i64 [[#%d,]], i32 4, ptr elementtype(void ()) null
; CHECK: br label %outer
define i64 @outer(ptr %p, i64 %a, i64 %b, i64 %c, i64 %d) {
entry:
  br label %outer
outer:
  %q = phi ptr [ %p, %entry ], [ %n, %latch ]
  br label %inner
inner:
  %i = phi i64 [ 0, %outer ], [ %j, %inner ]
  store volatile i64 %i, ptr %q
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, 10
  br i1 %more, label %inner, label %latch
latch:
  %n = load ptr, ptr %q
  %z = icmp eq ptr %n, null
  br i1 %z, label %exit, label %outer
exit:
  %ab = xor i64 %a, %b
  %cd = xor i64 %c, %d
  %r = mul i64 %ab, %cd
  ret i64 %r
}

; an innermost loop that counts does not serve the loop around it, whether it is too small or too large (as all are in the second run) for strips
; CHECK-LABEL: define i64 @nested(
; CHECK: latch.outer_crit_edge:
; CHECK: load volatile i32, ptr @__transproc_poll
; LARGE-LABEL: define i64 @nested(
; an uncounted loop makes four turns, each with its own way out, for each that it counts
; LARGE: inner.3:
; LARGE: br i1 %{{.*}}, label %inner.3.inner_crit_edge, label %latch
; LARGE: inner.3.inner_crit_edge:
; LARGE: sub i32 %{{.*}}, 1
; LARGE: latch.outer_crit_edge:
; LARGE: load volatile i32, ptr @__transproc_poll
define i64 @nested(ptr %p, i64 %a, i64 %b, i64 %c, i64 %d) {
entry:
  br label %outer
outer:
  %q = phi ptr [ %p, %entry ], [ %n, %latch ]
  br label %inner
inner:
  %s = phi ptr [ %q, %outer ], [ %t, %inner ]
  %t = load ptr, ptr %s
  %more = icmp ne ptr %t, null
  br i1 %more, label %inner, label %latch
latch:
  %n = load ptr, ptr %q
  %z = icmp eq ptr %n, %p
  br i1 %z, label %exit, label %outer
exit:
  %ab = xor i64 %a, %b
  %cd = xor i64 %c, %d
  %r = mul i64 %ab, %cd
  ret i64 %r
}

; a run that includes its bound gets a copy that counts, which it enters as well where the counter could step over the bound
; CHECK-LABEL: define i64 @inclusive(
; CHECK: %[[FAR:.*]] = icmp ugt i64 %{{.*}}, 4096
; CHECK: %[[WRAPS:.*]] = icmp ugt i64 %end, -2
; CHECK: %[[LONG:.*]] = or i1 %[[FAR]], %[[WRAPS]]
; CHECK: br i1 %[[LONG]], label %{{.*}}.long
; CHECK: {{^}}loop.long:
; CHECK: sub i32 %{{.*}}, 1
; CHECK: {{^}}loop:
; CHECK-NOT: sub i32
; CHECK: ret i64 %r
define i64 @inclusive(ptr %p, i64 %end, i64 %a, i64 %b, i64 %c, i64 %d) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %n, %next ]
  %q = getelementptr i8, ptr %p, i64 %i
  %v = load i8, ptr %q
  %z = icmp eq i8 %v, 0
  br i1 %z, label %exit, label %next
next:
  %n = add i64 %i, 1
  %more = icmp ule i64 %n, %end
  br i1 %more, label %loop, label %exit
exit:
  %s = phi i64 [ %i, %loop ], [ %n, %next ]
  %ab = xor i64 %a, %b
  %cd = xor i64 %c, %d
  %t = mul i64 %ab, %cd
  %r = xor i64 %s, %t
  ret i64 %r
}
