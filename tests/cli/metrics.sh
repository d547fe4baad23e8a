#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The metrics page over made-up figures, with names in it that need escaping: format, HTTP, rude clients; and that the
# checker sees what is wrong.
set -u
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
check="$SRC/tests/metrics_check.py"
"$BUILD/tests/gen/fakedaemon" "$TMP/control" "$TMP/port" &
daemon=$!
trap 'kill $daemon 2>/dev/null' EXIT
for _ in $(seq 1200); do [ -s "$TMP/port" ] && break; sleep 0.05; done
timeout 300 python3 "$check" "$(cat "$TMP/port")" "$TMP/control" || { echo "FAIL: the page"; exit 1; }
kill -0 $daemon || { echo "FAIL: the daemon is gone"; exit 1; }

# Each of these is one mistake.
bad() { # WHAT PAGE
	printf "$2" | python3 -c "
import sys
sys.path.insert(0, '$SRC/tests')
sys.dont_write_bytecode = True
import metrics_check as m
m.parse(sys.stdin.buffer.read())
sys.exit(0 if bool(m.found) == ('$1' != 'right') else 1)" || { echo "FAIL: the checker does not see: $1"; exit 1; }
}
H='# HELP optag_x_total X.\n# TYPE optag_x_total counter\n'
bad right "${H}optag_x_total{a=\"b\\\\\\\\ \\\\\"\\\\n\"} 1\n"
bad 'no end' "${H}optag_x_total 1"
bad 'no HELP' '# TYPE optag_x_total counter\noptag_x_total 1\n'
bad 'no TYPE' '# HELP optag_x_total X.\noptag_x_total 1\n'
bad 'a counter without _total' '# HELP optag_x X.\n# TYPE optag_x counter\noptag_x 1\n'
bad 'a gauge with _total' '# HELP optag_x_total X.\n# TYPE optag_x_total gauge\noptag_x_total 1\n'
bad 'milliseconds' '# HELP optag_x_ms X.\n# TYPE optag_x_ms gauge\noptag_x_ms 1\n'
bad 'twice' "${H}optag_x_total 1\noptag_x_total 2\n"
bad 'a family twice' "${H}optag_x_total 1\n${H}"
bad 'an open label' "${H}optag_x_total{a=\"b} 1\n"
bad 'a quote in a label' "${H}optag_x_total{a=\"b\"c\"} 1\n"
bad 'an escape that is none' "${H}optag_x_total{a=\"\\\\\\\\q\\\\t\"} 1\n"
bad 'other labels' "${H}optag_x_total{a=\"b\"} 1\noptag_x_total{c=\"b\"} 1\n"
bad 'no number' "${H}optag_x_total one\n"
bad 'another family inside' "${H}optag_y_total 1\n"
bad 'a negative counter' "${H}optag_x_total -1\n"
bad 'not UTF-8' "${H}optag_x_total{a=\"\\\\377\"} 1\n# \377\n"
exit 0
