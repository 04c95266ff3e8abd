! SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
module sieves
  use iso_c_binding
  implicit none
contains
  recursive function primes(flags, n) bind(c) result(count)
    integer(c_int), value :: n
    integer(c_signed_char), intent(inout) :: flags(n)
    integer(c_int) :: count, i
    count = 0
    if (n < 2) return
    if (n > 4) count = primes(flags, n / 2) - count
    flags = 1
    count = 0
    do i = 2, n
      if (flags(i) == 0) cycle
      count = count + 1
      if (i <= n / i) flags(i*i:n:i) = 0
    end do
  end function

  subroutine smooth(field, n, rounds, total) bind(c)
    integer(c_int), value :: n, rounds
    real(c_double), intent(inout) :: field(n, n)
    real(c_double), intent(out) :: total
    real(c_double) :: next(n, n)
    integer(c_int) :: i
    next = field
    do i = 1, rounds
      next(2:n-1, 2:n-1) = 0.25d0 * (field(1:n-2, 2:n-1) + field(3:n, 2:n-1) + field(2:n-1, 1:n-2) + field(2:n-1, 3:n))
      field = next
    end do
    total = 0
    do i = 1, n
      if (field(i, i) > 0.25d0) total = total + field(i, i)
    end do
  end subroutine
end module
