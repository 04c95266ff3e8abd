#!/usr/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Sets the clock at the tick of the hardware clock's second (its reading has no fraction, so any other moment would
# leave the clock up to a second late), then says that it has done so.
now=$(cat /sys/class/rtc/rtc0/since_epoch)
while [ "$(cat /sys/class/rtc/rtc0/since_epoch)" = "$now" ]; do usleep 5000; done
hwclock -u -s
touch /run/clock-set
