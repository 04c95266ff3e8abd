; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
; The selector is taken out of a landing pad's value after a use of the whole, as some optimisations leave it.
target datalayout = "e-m:e-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128"
declare void @work()
declare i32 @__gxx_personality_v0(...)
declare i32 @llvm.eh.typeid.for.p0(ptr)
@_ZTIi = external constant ptr
define i32 @main() personality ptr @__gxx_personality_v0 {
entry:
  invoke void @work() to label %done unwind label %pad
go_on:
  resume { ptr, i32 } %landed
pad:
  %landed = landingpad { ptr, i32 } cleanup catch ptr @_ZTIi
  %selector = extractvalue { ptr, i32 } %landed, 1
  %id = call i32 @llvm.eh.typeid.for.p0(ptr @_ZTIi)
  %same = icmp eq i32 %selector, %id
  br i1 %same, label %done, label %go_on
done:
  ret i32 0
}
