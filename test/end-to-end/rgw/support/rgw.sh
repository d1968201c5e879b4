#!/bin/sh
# A throw-away Ceph RADOS Gateway (monitor, one OSD in memory, radosgw) on the loopback address: a strict S3 server
# that nobody of this project wrote. Without systemd, without cephx, gone without a trace.
#
#   sh test/end-to-end/rgw/support/rgw.sh run      start it, run test/end-to-end/rgw against it, destroy it; exits as the tests do
#   sh test/end-to-end/rgw/support/rgw.sh start    start it (nothing to do when it runs) and print its endpoint and keys
#   sh test/end-to-end/rgw/support/rgw.sh stop     end its processes; what it stored is lost, as it was in memory
#   sh test/end-to-end/rgw/support/rgw.sh destroy  stop, and delete its directory
#
# `run` has a directory of its own. The others share one: PNX_VOLUME_RGW_DIR, or /tmp/pnx-volume-rgw-UID.
# PNX_VOLUME_RGW_STORE_BYTES is how much it can store (default: 2 GiB).
# It is short because the path of a unix socket has at most 107 bytes. Missing Debian packages are installed.
set -eu
cd "$(dirname "$0")/../../../.."

command=${1:-run}
PATH=$PWD/node_modules/.bin:$PATH
access_key=pnx-volume-test
secret_key=pnx-volume-test-secret
store_bytes=${PNX_VOLUME_RGW_STORE_BYTES:-2147483648}

say() { printf 'rgw: %s\n' "$*" >&2; }
fail() { say "cannot go on: $*"; exit 1; }

install_packages() {
	missing=
	for program in ceph-mon ceph-osd radosgw radosgw-admin monmaptool ceph; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || fail "missing:$missing. This is not a Debian: install Ceph's monitor, OSD and RADOS gateway"
	[ "$(id -u)" = 0 ] || fail "missing:$missing, and installing them needs root: apt-get install radosgw ceph-mon ceph-osd"
	say "missing:$missing. Installing the Debian packages radosgw, ceph-mon and ceph-osd (61 MB, about a minute) ..."
	if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends radosgw ceph-mon ceph-osd >/dev/null 2>&1; then
		apt-get update -q >/dev/null || fail 'apt-get update failed: are the Debian mirrors reachable?'
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends radosgw ceph-mon ceph-osd >/dev/null || fail 'apt-get install failed'
	fi
}

# Whether the process of this name runs, and is ours: its command line names our configuration.
is_alive() {
	[ -s "$dir/$1.pid" ] && tr '\0' ' ' <"/proc/$(cat "$dir/$1.pid")/cmdline" 2>/dev/null | grep -qF -- "$dir/ceph.conf"
}

launch() {
	name=$1
	shift
	setsid "$@" </dev/null >>"$dir/log/$name.out" 2>&1 &
	echo $! >"$dir/$name.pid"
}

# wait_for SECONDS NAME COMMAND...: until the command succeeds; fails when the process ends or the time is over.
wait_for() {
	ends=$(($(date +%s) + $1))
	name=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ! is_alive "$name" || [ "$(date +%s)" -ge "$ends" ]; then
			tail -n 5 "$dir/log/$name.out" >&2 || true
			stop
			fail "$name did not come up; see $dir/log"
		fi
		sleep 0.1
	done
}

stop_process() {
	if is_alive "$1"; then
		pid=$(cat "$dir/$1.pid")
		kill -TERM "$pid" 2>/dev/null || true
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
			[ -d "/proc/$pid" ] || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$dir/$1.pid"
}

stop() {
	for name in rgw osd mon; do
		stop_process "$name"
	done
}

destroy() {
	[ -e "$dir" ] || return 0
	# Only a directory of ours is deleted.
	if [ -f "$dir/ceph.conf" ] || [ -z "$(ls -A "$dir")" ]; then
		stop
		rm -rf "$dir"
	else
		fail "$dir holds no ceph.conf, so it is not ours to delete"
	fi
}

# Two free ports, as the system gives them.
find_ports() {
	node -e '
		const {createServer} = require("node:net");
		const servers = [createServer(), createServer()];
		Promise.all(servers.map(server => new Promise(resolve => server.listen(0, "127.0.0.1", resolve)))).then(() => {
			console.log(servers.map(server => server.address().port).join(" "));
			servers.forEach(server => server.close());
		});'
}

does_answer() {
	node -e 'fetch(process.argv[1]).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))' "http://127.0.0.1:$1"
}

is_osd_up() {
	timeout 5 ceph -c "$dir/ceph.conf" osd stat 2>/dev/null | grep -q '1 up'
}

write_configuration() {
	fsid=$(cat /proc/sys/kernel/random/uuid)
	mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw" "$dir/log" "$dir/run"
	echo "$2" >"$dir/port"
	cat >"$dir/ceph.conf" <<CONFIGURATION
[global]
fsid = $fsid
mon initial members = a
mon host = [v2:127.0.0.1:$1]
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
run dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/log/\$name.log
crash dir = $dir/log
debug none = 0/0
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1

[mon.a]
mon data = $dir/mon

[osd.0]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = $store_bytes
osd class load list = *
osd class default list = *
osd max object name len = 2048
osd max object namespace len = 256
osd mclock skip benchmark = true

[client.rgw.a]
rgw data = $dir/rgw
# Without this radosgw insists on a secure mode that needs cephx, and hangs.
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:$2 tcp_nodelay=1
rgw dns name = localhost
rgw enable usage log = false
rgw enable ops log = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
CONFIGURATION
	monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$1]" "$dir/monmap" >"$dir/log/create.out" 2>&1
	ceph-mon -c "$dir/ceph.conf" --mkfs -i a --monmap "$dir/monmap" >>"$dir/log/create.out" 2>&1 || fail "ceph-mon --mkfs failed; see $dir/log"
}

start() {
	install_packages
	if is_alive rgw && does_answer "$(cat "$dir/port")"; then
		return 0
	fi

	destroy
	mkdir -p "$dir"
	# shellcheck disable=SC2046 # Two ports are two words.
	write_configuration $(find_ports)
	configuration=$dir/ceph.conf
	launch mon ceph-mon -c "$configuration" -f -i a
	wait_for 30 mon timeout 5 ceph -c "$configuration" --connect-timeout 4 mon stat
	osd_id=$(cat /proc/sys/kernel/random/uuid)
	ceph -c "$configuration" osd new "$osd_id" >>"$dir/log/create.out" 2>&1
	ceph-osd -c "$configuration" -i 0 --mkfs --osd-uuid "$osd_id" >>"$dir/log/create.out" 2>&1 || fail "ceph-osd --mkfs failed; see $dir/log"
	launch osd ceph-osd -c "$configuration" -f -i 0
	wait_for 60 osd is_osd_up
	launch rgw radosgw -c "$configuration" -f -n client.rgw.a
	wait_for 120 rgw does_answer "$(cat "$dir/port")"
	radosgw-admin -c "$configuration" -n client.rgw.a user create --uid=tester --display-name=tester \
		--access-key="$access_key" --secret-key="$secret_key" --max-buckets=0 >>"$dir/log/create.out" 2>&1 || fail "cannot create the user; see $dir/log"
}

show() {
	printf 'PNX_VOLUME_TEST_S3_ENDPOINT=http://127.0.0.1:%s\nPNX_VOLUME_TEST_S3_ACCESS_KEY=%s\nPNX_VOLUME_TEST_S3_SECRET_KEY=%s\n' "$(cat "$dir/port")" "$access_key" "$secret_key"
}

# Ceph's tools read these, and ours must not be led astray by those of the machine.
unset CEPH_CONF CEPH_ARGS

case $command in
	run)
		dir=$(mktemp -d /tmp/pnx-rgw.XXXXXX)
		trap 'destroy' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		start
		say "$(radosgw --version | cut -d' ' -f1-3) answers on port $(cat "$dir/port")"
		status=0
		env $(show) ava 'test/end-to-end/rgw/**' || status=$?
		exit "$status"
		;;
	start | stop | destroy)
		dir=${PNX_VOLUME_RGW_DIR:-/tmp/pnx-volume-rgw-$(id -u)}
		"$command"
		if [ "$command" = start ]; then
			show
		fi
		;;
	*) fail "usage: sh test/end-to-end/rgw/support/rgw.sh run|start|stop|destroy" ;;
esac
