#!/bin/sh
# What a job of the campaign runs: it writes down by itself, on the medium, that it began and that it ended.
#
#   job.sh FILE SECONDS [fails-first]
#
# A line is `RUN.ATTEMPT WHAT NANOSECONDS PID START-TIME STATE-DIRECTORY`; WHAT is begin, end, or overlap: another attempt
# of the same run was still at work. `date` tells the machine's own time, whatever clock the agent believes in.
file=$1 seconds=$2 how=$3
start_time() {
  read -r stat <"/proc/$1/stat" || return
  # The name, in parentheses, may hold blanks.
  set -- ${stat##*) }
  [ "$1" = Z ] || echo "${20}"
} 2>/dev/null
began=$(start_time $$)
say() {
  echo "$FIRN_ATTEMPT $1 $(date +%s%N) $$ $began $FIRN_STATE" |
    dd of="$file" oflag=append conv=notrunc,fsync status=none
}
if [ -f "$file" ]; then
  grep -F "${FIRN_ATTEMPT%.*}." "$file" | grep ' begin ' | while read -r _ _ _ pid start _; do
    [ "$(start_time "$pid")" = "$start" ] && say overlap
  done
fi
say begin
case $FIRN_ATTEMPT-$how in *.1-fails-first) exit 1 ;; esac
sleep "$seconds"
say end
