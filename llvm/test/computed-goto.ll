; Labels become integers and indirectbr a switch, which becomes a branch over a table of each function in the end: one like the
; program's own where it has one, else one by number.
; RUN: %opt -passes=transproc-computed-goto -S %s | FileCheck %s
; RUN: %opt -passes=transproc-computed-goto,transproc-sites,transproc-dispatch -S %s | FileCheck --check-prefix=END %s
; END-DAG: @goto.run = private constant [3 x ptr] [ptr blockaddress(@run, %two), ptr blockaddress(@run, %one), ptr null], section "transproc_labels", align 8
; END-DAG: @points.run = private constant [3 x ptr] [ptr blockaddress(@run, %point[[#]]), ptr blockaddress(@run, %point), ptr null], section "transproc_points", align 8
; END-DAG: @goto.run.resume = private constant [3 x ptr] [ptr blockaddress(@run.resume, %two), ptr blockaddress(@run.resume, %one), ptr null], section "transproc_labels", align 8
; END-DAG: @points.run.resume = private constant [3 x ptr] [ptr blockaddress(@run.resume, %point[[#]]), ptr blockaddress(@run.resume, %point), ptr null], section "transproc_points", align 8
; END-DAG: @goto.choose = private constant [3 x ptr] [ptr null, ptr blockaddress(@choose, %one), ptr blockaddress(@choose, %two)]
; END-DAG: @goto.inline = private constant [3 x ptr] [ptr null, ptr blockaddress(@inline, %one), ptr blockaddress(@inline, %two)], comdat($inline)
; END-LABEL: define i64 @run(
; END: load volatile ptr, ptr %{{.*}}
; END-NOT: load
; END: indirectbr
; END: statepoint
@table = internal constant [3 x ptr] [ptr blockaddress(@run, %two), ptr blockaddress(@run, %one), ptr null]
; CHECK: @table = internal constant [3 x ptr] [ptr inttoptr (i64 2 to ptr), ptr inttoptr (i64 1 to ptr), ptr null]

; CHECK-LABEL: define i64 @run(
; CHECK: switch i64
; CHECK-NOT: indirectbr
define i64 @run(ptr %code) {
entry:
  br label %next
next:
  %pc = phi ptr [ %code, %entry ], [ %pc1, %one ], [ %pc2, %two ]
  %sum = phi i64 [ 0, %entry ], [ %sum1, %one ], [ %sum2, %two ]
  %op = load i64, ptr %pc
  %slot = getelementptr ptr, ptr @table, i64 %op
  %label = load ptr, ptr %slot
  indirectbr ptr %label, [label %one, label %two, label %exit]
one:
  %pc1 = getelementptr i64, ptr %pc, i64 1
  %sum1 = add i64 %sum, 1
  br label %next
two:
  %pc2 = getelementptr i64, ptr %pc, i64 2
  %sum2 = mul i64 %sum, 3
  br label %next
exit:
  ret i64 %sum
}

define i64 @choose(i1 %which) {
entry:
  %label = select i1 %which, ptr blockaddress(@choose, %one), ptr blockaddress(@choose, %two)
  indirectbr ptr %label, [label %one, label %two]
one:
  ret i64 1
two:
  ret i64 2
}

; of an inline function's copies the linker keeps one, with its tables
$inline = comdat any
define linkonce_odr i64 @inline(i64 %which) comdat {
entry:
  %is = icmp eq i64 %which, 0
  %label = select i1 %is, ptr blockaddress(@inline, %one), ptr blockaddress(@inline, %two)
  indirectbr ptr %label, [label %one, label %two]
one:
  ret i64 1
two:
  ret i64 2
}
