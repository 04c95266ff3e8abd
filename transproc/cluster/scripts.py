# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a `Place` asks of a node's shell: POSIX, with the words of each script as "$1", "$2", …

A command costs a round trip, and on a small or emulated machine every program that it starts is felt: what a step wants to know
together is asked together.
"""

from __future__ import annotations

CLAIMABLE = """
set -e
if [ -e "$1/id" ]; then
  owner=$(cat "$1/name" 2>/dev/null) || owner=${1##*/}
  if [ -e "$1/exit" ]; then
    [ "$owner" = "$3" ] || { echo "$owner"; exit 4; }
  else
    [ "$(cat "$1/id" 2>/dev/null)" = "$2" ] || { echo "$owner"; exit 5; }
    ! ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF -- "-> $1/bin/" || exit 3
  fi
fi
"""
"""Whether a directory may become a job's: an ended job's to one of the same name only. Words: directory, job's id and name."""

# For its owner alone. Programs may run as other users: these may pass through to their own job, but look at nothing.
CLAIM = f"""
{CLAIMABLE}
umask 077
new=$1~new
rm -rf "$new"
mkdir -p "$new"
echo "$2" >"$new/id"
mkdir -p "$new/data/work" "$new/bin"
chmod 711 "${{1%/*}}" "$new/bin" "$new/data"
[ "$3" = "${{1##*/}}" ] || echo "$3" >"$new/name"
: >"$new/data/stdin"
[ -z "$4" ] || chown "$4:$5" "$new/data/work" "$new/data/stdin"
rm -rf "$1"
mv "$new" "$1"
"""
"""Words: directory, job's id and name, and the user and group ids of the job if it has a user. The directory is opened to these
when there is a program: until then they cannot meddle with what is put there."""

# The next process gets the id after that in ns_last_pid (proc_sys_kernel(5)); low ids are those of services. A shell reads byte
# by byte, and such a file ends after the first read.
SPREAD = """
max=$(cat /proc/sys/kernel/pid_max)
echo $((max / 4 + $1 % (max / 4 * 3 - 1000))) >/proc/sys/kernel/ns_last_pid
"""

# Who borrows pages for a program that is gone waits for nothing: two processes, of which each starts the other anew. A claim that
# was cut off leaves a directory without a name that a job can have: nothing that has no owner bears a job's name. The first thing
# in that is whose it is; it is empty before.
REMOVE = """
[ "$(cat "$1/id" 2>/dev/null)" = "$2" ] && grep -qs . "$1/images/image/owed" && patience=100 || patience=0
while [ "$patience" -gt 0 ] && found=$(grep -lF -e "$1/" /proc/[0-9]*/cmdline 2>/dev/null | while read -r f; do
  case $(tr '\\0' ' ' <"$f" 2>/dev/null) in *transproc-stop*" borrow --dir $1/"*) f=${f#/proc/}; echo "${f%/cmdline}" ;; esac
done) && [ -n "$found" ]; do kill -9 $found 2>/dev/null; patience=$((patience - 1)); done
for d in "$1" "$1~new"; do if [ "$(cat "$d/id" 2>/dev/null)" = "$2" ]; then rm -rf "$d"; fi; done
rmdir "$1~new" 2>/dev/null; true
"""

_STATE_OF = """
state_of() {
  case $(readlink "/proc/$1/exe") in
  "$2" | "$2 (deleted)") sed -n 's/^State:[[:space:]]*\\(.\\).*/\\1/p' "/proc/$1/status" ;;
  esac
}
"""

STATE = _STATE_OF + 'state_of "$1" "$2"'
"""State letter of a process if it is the job's. Words: pid, program."""

# A device's size is its major number and a comma: nobody asks for those.
SIZES = """
for f; do
  ls -lnLd "$f" 2>/dev/null | { read -r mode links user group size rest; echo "${size:--}"; }
done
"""

# In units of 1024 bytes. A directory that is left out is not looked into, so nothing is counted twice.
USED = """
cd "$1" && shift
du -sk data
for p; do
  set -- "$@" -o -path "$p"; shift
done
[ $# -eq 0 ] || { shift; find data \\( "$@" \\) -prune -exec du -sk {} \\; ; }
"""
"""Disk that the job's files need, then what is left out of them. Words: directory, patterns."""

CAN_CLONE = 'cp --reflink=always "$1/id" "$1/images/probe" && rm "$1/images/probe"'
"""Fails without GNU's cp, and on file systems that share no blocks between files."""

DIGESTS = """
largest=$1; shift
for f; do
  found=
  [ ! -f "$f" ] || [ "$(wc -c <"$f")" -gt "$largest" ] || found=$(sha256sum <"$f")
  set -- $found; echo "${1:--}"
done
"""
"""SHA-256 of files, or "-" for what is no file, too large, or cannot be read. Words: bytes of the largest, files."""

STAMPS = 'for f; do stat -Lc "%s %Y" "$f" 2>/dev/null || echo -; done'
"""Size and time of the last change, in seconds, of files; "-" for what is not there."""

MAKE_IMAGES = 'umask 077; cd "$1" && rm -rf images && mkdir -p images/dump'
"""Only where a job is: without the directory that says whose it is nothing would be found again. Words: directory."""

ROOM_FOR = """
"$1" room --dir "$2" && echo "uid=$(id -u "$3" 2>/dev/null)"
"""
"""Words: pause tool, data directory, user."""

USER = 'id -u "$1" && id -g "$1" && id -G "$1" && id -u'
"""Numbers of a user, of its group, of its groups, and our own. Words: user."""

# Most processes of a node last a moment, such as those that make this look.
TAKEN = """
patience=10
for t; do
  while [ -e "/proc/$t" ] && [ $patience -gt 0 ]; do sleep 0.1; patience=$((patience - 1)); done
  [ ! -e "/proc/$t" ] || echo "$t"
done
"""

_KEEP = """
keep() {
  kept=${1%/*/*}/kept
  [ "$(cat "$1/id" 2>/dev/null)" = "$2" ] && umask 077 && mkdir -p "$kept" || return
  find "$kept" -mindepth 1 -maxdepth 1 -mtime +6 -exec rm -rf {} \\;
  rm -rf "$kept/$2"
  mkdir "$kept/$2" && mv "$1/data" "$kept/$2/data"
}
"""

RETIRE = f"""{_STATE_OF}{_KEEP}
if [ -n "$(state_of "$1" "$2")" ]; then
  "$3" kill --pid "$1" --moved --state "$4" >&2 || exit
fi
[ -z "$6" ] || keep "$4" "$5"
set -- "$4" "$5"
{REMOVE}
"""
"""Ends a process if it is still the job's, and removes the directory. Words: pid, program, pause tool, directory, job's id, and
"keep" if a copy of its files shall stay, for seven days at most."""

# What a process that was left behind by a program of some user still has open, it can change: such a copy is copied once more, to
# where nobody else comes, by a tar that follows no links.
TAKE_KEPT = """
kept=${1%/*/*}/kept/$2
[ -d "$kept/data/work" ] || exit 3
rm -rf "$1/data"
case $3 in
'') mv "$kept/data" "$1/data" ;;
*) tar -C "$kept" --numeric-owner --sparse -cf - data | tar -C "$1" --numeric-owner -p -xf - ;;
esac
rm -rf "$kept"
"""
"""Makes the files that an earlier stay has left those of the job's directory. Words: directory, job's id, user or nothing. Status
3: there are none."""

FORGET_KEPT = 'rm -rf "${1%/*/*}/kept/$2"'
"""Words: directory, job's id."""

KEPT = 'cd "$1/kept" 2>/dev/null && ls || true'
"""Ids of jobs that have left files. Words: data directory."""

# ps(1) may be missing, or busybox's; one ls asks about all processes.
FOUND = """
ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F -- "-> $1/bin/" | sed 's|.* /proc/\\([0-9]*\\)/exe -> .*|\\1|' |
while read -r p; do
  parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status" 2>/dev/null)
  [ -z "$parent" ] || echo "$p $parent"
done
"""
"""Processes that execute a job's binary, each with its parent; one that ends meanwhile is none. Words: directory."""

OWNERS = """
for f in $(grep -lF -e "$1" /proc/[0-9]*/cmdline 2>/dev/null); do
  tr '\\0' ' ' <"$f" 2>/dev/null; echo
done | grep -o -e "$1[0-9.]*" | sort -u
"""
"""Whose connections there are. Words: how those of a host begin (`owner`)."""

# Who starts a program is ended before it does so, or the program is there to be seen: it has our words until it executes its own.
END_OWNED = """
patterns=$(cat) patience=200
while found=$(for p in $patterns; do grep -l -e "$p" /proc/[0-9]*/cmdline 2>/dev/null; done); [ -n "$found" ]; do
  for f in $found; do p=${f#/proc/}; kill -9 "${p%/cmdline}" 2>/dev/null; done
  [ $((patience -= 1)) -gt 0 ] || { echo "cannot be ended: $found" >&2; exit 1; }
  sleep 0.05
done
"""
"""Ends those who hear requests of connections that are over, for good. Standard input: patterns of their words."""

# A program whose standard output is /dev/null is a supervisor of the pause tool's, which stays as long as the job; a conversation
# with the job's terminal may stay, too. Processes of jobs are not meant, whatever they call themselves.
# Who holds memory waits for somebody to bring more, who is gone. What else does not end by itself in time is ended.
QUIET = """
busy() {
  for f in $(grep -lF -e "$1/" -e transproc-stop /proc/[0-9]*/cmdline 2>/dev/null); do
    p=${f#/proc/}; p=${p%/cmdline}
    [ "$p" != $$ ] || continue
    case $(readlink "/proc/$p/exe") in '' | "${1%/*}"/*/bin/*) continue ;; esac
    case $(tr '\\0' ' ' <"$f" 2>/dev/null) in
    *transproc-stop*" hold --dir $1/"*) kill -9 "$p" 2>/dev/null; echo "$p" ;;
    *transproc-stop*" attach "*) ;;
    *transproc-stop*" --pid $2 "* | *transproc-stop*"$1/"*) [ "$(readlink "/proc/$p/fd/1")" = /dev/null ] || echo "$p" ;;
    *"$1/"*) echo "$p" ;;
    esac
  done
}
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 2,12,13; }
orphan() {
  before=$(ticks "$1") && [ -n "$before" ] || return 1
  case $(tr '\\0' ' ' <"/proc/${before%% *}/cmdline" 2>/dev/null) in *transproc-stop* | *criu*) return 1 ;; esac
  ! grep -qs "^TracerPid:[[:space:]]*$1\\$" /proc/[0-9]*/status || return 1
  sleep 0.3
  [ "$(ticks "$1")" = "$before" ]
}
now() { read -r now rest </proc/uptime && echo "${now%%.*}"; }
end=$(($(now) + $3))
while found=$(busy "$1" "$2"); [ -n "$found" ] && [ "$(now)" -lt "$end" ]; do
  for p in $found; do ! orphan "$p" || kill -9 "$p"; done
  sleep 0.1
done
[ -z "$found" ] || { kill -9 $found; sleep 0.2; }
"""
"""Waits until nothing works on a job any more: criu, tar, the pause tool, sent by a command that was killed meanwhile.

criu that is killed leaves helpers of its own, which sleep until it ends them: an orphan that traces nobody and does nothing
is ended. Words: directory, pid, seconds."""

END_COPYING = """
patience=100
while found=$(grep -lF -e transproc-stop /proc/[0-9]*/cmdline 2>/dev/null | while read -r f; do
  case $(tr '\\0' ' ' <"$f" 2>/dev/null) in *transproc-stop*" copy --pid $1 "*) f=${f#/proc/}; echo "${f%/cmdline}" ;; esac
done) && [ -n "$found" ] && [ "$patience" -gt 0 ]; do kill -9 $found 2>/dev/null; patience=$((patience - 1)); done
"""
"""Ends those who send a program's memory ahead. Words: pid."""

DIRECTORIES = """
cd "$1" 2>/dev/null || exit 0
for d in *; do
  [ ! -e "$d/id" ] || echo "${d%~new} $(cat "$d/id")"
done
"""
"""Jobs whose directories are there, with their ids. Words: the directory of all."""

EXITS = """
cd "$1" 2>/dev/null || exit 0
for f in */exit; do
  [ ! -e "$f" ] || echo "${f%/exit} $(cat "${f%exit}id")"
done
"""
"""Jobs that have ended, with their ids. Words: the directory of all jobs."""

CONTAINS = 'grep -qF -- "$2" "$1"'
