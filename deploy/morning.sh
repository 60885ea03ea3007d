#!/bin/sh
# Mail the report of the night, or the exit code of a run that has no report. It needs `mail`, of Debian's bsd-mailx.
#
#     fastface run … --on-finish "/opt/fastface/deploy/morning.sh operator@example.org"
#
# fastface sets FASTFACE_OUT and FASTFACE_EXIT_CODE. systemd's recipe has no network: there fastface-mail.service starts
# this script, and systemd (251 or newer) sets MONITOR_EXIT_STATUS.
set -eu
code=${FASTFACE_EXIT_CODE:-${MONITOR_EXIT_STATUS:-unknown}}
case $code in
    0 | 3) mail -s "$(head -n 1 "$FASTFACE_OUT/night.txt")" "$1" <"$FASTFACE_OUT/night.txt" ;;
    11) ;; # Another run holds the folder, and mails its own report.
    *) echo "fastface ended with exit code $code: see the log." | mail -s "fastface: the night failed" "$1" ;;
esac
