; Data without a name get one: a back end would number them in the order in which it meets them.
; RUN: %opt -passes=transproc-sections -S %s | FileCheck %s
; CHECK: @unnamed = internal constant i32 1, section ".tp.ro.unnamed.0"
; CHECK: @unnamed.1 = internal global i32 2, section ".tp.data.unnamed.1.1"
@0 = private constant i32 1
@1 = internal global i32 2
define ptr @f() {
  ret ptr @0
}
define ptr @g() {
  ret ptr @1
}
