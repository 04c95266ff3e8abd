; Objects whose place or life is unusual.
; RUN: %opt -passes=transproc-sites %s -S | FileCheck %s
; RUN: %opt -passes='transproc-sites<promote-limit=1>' %s -S | FileCheck %s --check-prefix=MANY

declare i32 @next()
declare void @use(ptr)
declare ptr @llvm.stacksave.p0()
declare void @llvm.stackrestore.p0(ptr)

; An array whose length turned out to be constant stands behind a call, whose list must name it.
; CHECK-LABEL: define i32 @late(
; CHECK-NEXT: [[A:%.*]] = alloca [4 x i32]
; CHECK-NEXT: @llvm.experimental.gc.statepoint{{.*}} @next, {{.*}} ptr [[A]], i64 1125899906842640)
define i32 @late() {
  %x = call i32 @next()
  %a = alloca [4 x i32], align 4
  call void @use(ptr %a)
  %y = load i32, ptr %a
  %z = add i32 %x, %y
  ret i32 %z
}

; A branch with two comparisons of an object's address: the back end would carry it to the call in a register, and list that.
; CHECK-LABEL: define void @compared(
; CHECK: [[N:%.*]] = ptrtoint ptr %o to i64
; CHECK-NEXT: icmp ult i64 [[N]], ptrtoint (ptr @low to i64)
; CHECK: icmp ugt i64 {{%.*}}, ptrtoint (ptr @high to i64)
; CHECK: @llvm.experimental.gc.statepoint{{.*}} @use, {{.*}} [ "deopt"(i64 0, i64 1, ptr %o, i64 2251799813685256) ]
@low = external global i8
@high = external global i8
define void @compared() {
  %o = alloca i64, align 8
  %below = icmp ult ptr %o, @low
  %above = icmp ugt ptr %o, @high
  %outside = or i1 %below, %above
  br i1 %outside, label %bad, label %good
bad:
  call void @use(ptr null)
  br label %good
good:
  call void @use(ptr %o)
  ret void
}

; Two objects of different types may get one place. A resume entry has only their addresses; types must not order its accesses.
; CHECK-LABEL: define i64 @reused(
; CHECK: store i32 1, ptr %b, align 4, !tbaa
define i64 @reused() {
  %a = alloca i64, align 8
  %b = alloca i32, align 4
  call void @llvm.lifetime.start.p0(i64 8, ptr %a)
  call void @use(ptr %a)
  %x = load i64, ptr %a, align 8, !tbaa !0
  call void @llvm.lifetime.end.p0(i64 8, ptr %a)
  call void @llvm.lifetime.start.p0(i64 4, ptr %b)
  store i32 1, ptr %b, align 4, !tbaa !3
  call void @use(ptr %b)
  call void @llvm.lifetime.end.p0(i64 4, ptr %b)
  ret i64 %x
}
declare void @llvm.lifetime.start.p0(i64, ptr)
declare void @llvm.lifetime.end.p0(i64, ptr)
!0 = !{!1, !1, i64 0}
!1 = !{!"long", !2}
!2 = !{!"C"}
!3 = !{!4, !4, i64 0}
!4 = !{!"int", !2}

; The list is at each site that no other dominates: a back end may find out that one of them is never reached.
; CHECK-LABEL: define void @switched(
; CHECK: [[O:%.*]] = alloca i64
; CHECK: @llvm.experimental.gc.statepoint{{.*}} @use, {{.*}}, ptr [[O]], i64 2251799813685256) ]
; CHECK: @llvm.experimental.gc.statepoint{{.*}} @use, {{.*}} [ "deopt"(i64 0) ]
; CHECK: @llvm.experimental.gc.statepoint{{.*}} @next, {{.*}}, ptr [[O]], i64 2251799813685256) ]
; CHECK: ret void
define void @switched(i32 %x) {
  %o = alloca i64, align 8
  %y = or i32 %x, 2
  %z = and i32 %y, 3
  switch i32 %z, label %end [
    i32 1, label %never
    i32 2, label %sometimes
  ]
never:
  call void @use(ptr %o)
  call void @use(ptr %o)
  br label %end
sometimes:
  %n = call i32 @next()
  store i32 %n, ptr %o
  br label %end
end:
  ret void
}

; The ends of two scopes were merged to one.
; CHECK-LABEL: define i32 @merged(
; CHECK-LABEL: define internal void @reused.resume(
; CHECK: load i64, {{.*}}align 8{{$}}
; CHECK: store i32 1, {{.*}}align 4{{$}}
; CHECK-LABEL: define internal void @merged.resume(
; CHECK: call void @llvm.stackrestore
; CHECK-COUNT-3: = call ptr @llvm.stacksave.p0()
define i32 @merged(i1 %c, i32 %n) {
  br i1 %c, label %left, label %right
left:
  %s1 = call ptr @llvm.stacksave.p0()
  %a = alloca i32, i32 %n
  call void @use(ptr %a)
  br label %end
right:
  %s2 = call ptr @llvm.stacksave.p0()
  %b = alloca i64, i32 %n
  call void @use(ptr %b)
  br label %end
end:
  %s = phi ptr [ %s1, %left ], [ %s2, %right ]
  %x = call i32 @next()
  call void @llvm.stackrestore.p0(ptr %s)
  call void @use(ptr null)
  ret i32 %x
}

; Where objects are many, a resume entry loads the addresses that no loop uses where they are used.
; MANY-LABEL: define internal void @reused.resume(
; MANY: %objects = load ptr
; MANY-NOT: load ptr,
; MANY: switch
; MANY: [[B:%.*]] = load ptr, {{.*}}!invariant.load
; MANY: store i32 1, ptr [[B]]
; MANY-LABEL: define internal void @looping.resume(
; MANY: %objects = load ptr
; MANY: %in.loop{{[0-9]*}} = load ptr, {{.*}}!invariant.load
; MANY-NOT: load ptr,
; MANY: switch
; MANY: %behind{{[0-9]*}} = load ptr, {{.*}}!invariant.load
define void @looping() {
  %in.loop = alloca i64, align 8
  %behind = alloca i64, align 8
  br label %loop
loop:
  call void @use(ptr %in.loop)
  %n = call i32 @next()
  %more = icmp ne i32 %n, 0
  br i1 %more, label %loop, label %end
end:
  call void @use(ptr %behind)
  ret void
}
