#!/usr/bin/env bash
# A real Flink cluster on one machine, without containers: a JobManager, TaskManagers, and a pool of Python workers
# for each TaskManager. As root every TaskManager lives with its pool in a network namespace of its own, because two
# TaskManagers on one pool hang; without root there is one TaskManager with several slots.
#
#   deploy/flink/local_cluster.sh up        starts what does not run and waits until it answers
#   deploy/flink/local_cluster.sh status    what runs, with process ids
#   deploy/flink/local_cluster.sh down      stops it, by process id
#   deploy/flink/local_cluster.sh start|stop NAME    one of jobmanager, taskmanager1, pool1, taskmanager2, ...
#   deploy/flink/local_cluster.sh dist      downloads Flink's jars only
#
# Environment: FLINK_DIR (state and logs, build/flink-cluster), FLINK_DIST_VERSION (1.19.3), TASKMANAGERS (2 as root,
# else 1), SLOTS of each (1 as root, else all cores), REST_PORT (8081), PYTHON (python3: the interpreter in which this
# package is installed; the pools run it), TASKMANAGER_MEMORY (2560m).
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
FLINK_DIR=$(absolute "${FLINK_DIR:-$ROOT/build/flink-cluster}")
VERSION=${FLINK_DIST_VERSION:-1.19.3}
DIST=$(absolute "${FLINK_DIST:-$ROOT/build/flink-$VERSION}")
PYTHON=${PYTHON:-$( [ -x "$ROOT/.venv/bin/python" ] && echo "$ROOT/.venv/bin/python" || echo python3)}
PYTHON=$(absolute "$(command -v "$PYTHON" || echo "$PYTHON")")
REST_PORT=${REST_PORT:-8081}
RPC_PORT=$((REST_PORT - 1958)) BLOB_PORT=$((REST_PORT - 1957))
TASKMANAGER_MEMORY=${TASKMANAGER_MEMORY:-2560m}
POOL_PORT=50000
NET=10.77.$((REST_PORT % 250))
BRIDGE=btd$REST_PORT
if [ "$(id -u)" = 0 ] && command -v ip >/dev/null; then
  ISOLATED=yes BIND=0.0.0.0 TASKMANAGERS=${TASKMANAGERS:-2} SLOTS=${SLOTS:-1} MASTER=$NET.1
else
  ISOLATED=no BIND=127.0.0.1 TASKMANAGERS=1 SLOTS=${SLOTS:-$(nproc)} MASTER=127.0.0.1
fi

die() { echo "error: $*" >&2; exit 1; }

running() {  # NAME: true when its process is alive and still the one that we started
  local pid; pid=$(cat "$FLINK_DIR/pids/$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null \
    && grep -qs "$FLINK_DIR/conf\|worker_pool_main" "/proc/$pid/cmdline" 2>/dev/null || {
      [ -n "${pid:-}" ] && [ ! -d /proc ] && kill -0 "$pid" 2>/dev/null; }
}

namespace() { echo "btd$REST_PORT-$1"; }

inside() {  # NUMBER COMMAND...: in the network namespace of TaskManager NUMBER
  local number=$1; shift
  if [ $ISOLATED = yes ]; then exec ip netns exec "$(namespace "$number")" "$@"; else exec "$@"; fi
}

dist() {
  [ -f "$DIST/lib/.complete" ] && return
  if [ -n "${FLINK_DIST:-}" ]; then
    compgen -G "$DIST/lib/flink-dist*.jar" >/dev/null && [ -f "$DIST/bin/bash-java-utils.jar" ] && return
    die "FLINK_DIST=$DIST is no Flink folder: lib/flink-dist*.jar and bin/bash-java-utils.jar must be there"
  fi
  local temp="$DIST.tmp$$"
  mkdir -p "$temp/lib"
  echo "fetching the jars of Flink $VERSION (230 MB) ..."
  "$PYTHON" -m pip download -q --no-deps --no-binary :all: "apache-flink-libraries==$VERSION" -d "$temp/sdist" \
    || die "the package apache-flink-libraries $VERSION could not be downloaded; set FLINK_DIST to a Flink folder"
  tar -xzf "$temp"/sdist/*.tar.gz -C "$temp" --strip-components=1
  mv "$temp"/deps/lib/* "$temp/lib/" && mv "$temp/deps/bin" "$temp/bin"
  rm -rf "$temp/deps" "$temp/sdist" && touch "$temp/lib/.complete"
  rm -rf "$DIST" && mv "$temp" "$DIST"
}

configure() {
  mkdir -p "$FLINK_DIR"/{conf,pids,logs,tmp,upload}
  cat > "$FLINK_DIR/conf/config.yaml" <<CONFIG
jobmanager.rpc.address: $MASTER
jobmanager.rpc.port: $RPC_PORT
jobmanager.bind-host: $BIND
blob.server.port: $BLOB_PORT
jobmanager.memory.process.size: 1600m
jobmanager.memory.jvm-metaspace.size: 400m
rest.address: $MASTER
rest.bind-address: $MASTER
rest.port: $REST_PORT
taskmanager.memory.process.size: $TASKMANAGER_MEMORY
taskmanager.memory.jvm-metaspace.size: 400m
# Beam's gRPC buffers: every job brings its own classes, and their buffers are freed late.
taskmanager.memory.task.off-heap.size: 768m
taskmanager.memory.managed.size: 256m
taskmanager.numberOfTaskSlots: $SLOTS
parallelism.default: $((SLOTS * TASKMANAGERS))
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 10
restart-strategy.fixed-delay.delay: 5 s
heartbeat.interval: 5000
heartbeat.timeout: 20000
task.cancellation.timeout: 30000
io.tmp.dirs: $FLINK_DIR/tmp
web.upload.dir: $FLINK_DIR/upload
CONFIG
  cat > "$FLINK_DIR/conf/log4j.properties" <<CONFIG
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} - %m%n
CONFIG
}

# Java 17 hides what Flink's serializers look into; the list is that of Flink's own configuration.
OPENS=()
for package in java.lang java.net java.io java.nio sun.nio.ch java.lang.reflect java.text java.time java.util \
    java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks; do
  OPENS+=("--add-opens=java.base/$package=ALL-UNNAMED")
done

java_arguments() {  # GET_JM_RESOURCE_PARAMS or GET_TM_RESOURCE_PARAMS: two lines, for the JVM and for Flink
  java -cp "$DIST/bin/bash-java-utils.jar:$DIST/lib/*" org.apache.flink.runtime.util.bash.BashJavaUtils \
    "$1" --configDir "$FLINK_DIR/conf" 2>/dev/null | sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p'
}

launch() {  # NAME COMMAND...: in a session of its own, its process id kept
  local name=$1; shift
  (cd /; setsid "$@" >>"$FLINK_DIR/logs/$name.log" 2>&1 </dev/null & echo $! >"$FLINK_DIR/pids/$name")
}

start_flink() {  # NAME CLASS PARAMS-KIND NUMBER [FLAGS...]
  local name=$1 class=$2 kind=$3 number=$4; shift 4
  local lines jvm flink
  mapfile -t lines < <(java_arguments "$kind")
  [ ${#lines[@]} -ge 1 ] || die "Java could not read $FLINK_DIR/conf/config.yaml"
  read -ra jvm <<<"${lines[0]}"; read -ra flink <<<"${lines[1]:-}"
  [ "$kind" = GET_JM_RESOURCE_PARAMS ] && number=0
  export -f inside namespace; export ISOLATED REST_PORT
  launch "$name" bash -c 'number=$1; shift; if [ "$number" = 0 ]; then exec "$@"; else inside "$number" "$@"; fi' - \
    "$number" java "${jvm[@]}" "${OPENS[@]}" -Dlog4j.configurationFile="$FLINK_DIR/conf/log4j.properties" \
    -cp "$DIST/lib/*" "$class" --configDir "$FLINK_DIR/conf" "${flink[@]}" "$@"
}

start() {
  local name=$1 number=${1//[!0-9]/}
  running "$name" && return
  case $name in
    jobmanager)
      start_flink "$name" org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
        GET_JM_RESOURCE_PARAMS 0 ;;
    taskmanager*)
      local host=127.0.0.1
      [ $ISOLATED = yes ] && host=$NET.$((number + 1))
      start_flink "$name" org.apache.flink.runtime.taskexecutor.TaskManagerRunner GET_TM_RESOURCE_PARAMS "$number" \
        -D taskmanager.host=$host -D taskmanager.bind-host=$host -D taskmanager.resource-id=$name-$$ ;;
    pool*)
      # The pool starts its workers as bare `python`: one that is this interpreter must come first in PATH.
      mkdir -p "$FLINK_DIR/bin"
      printf '#!/bin/sh\nexec "%s" "$@"\n' "$PYTHON" >"$FLINK_DIR/bin/python" && chmod +x "$FLINK_DIR/bin/python"
      export -f inside namespace; export ISOLATED REST_PORT
      PATH="$FLINK_DIR/bin:$PATH" launch "$name" bash -c 'number=$1; shift; inside "$number" "$@"' - "$number" \
        "$PYTHON" -m apache_beam.runners.worker.worker_pool_main --service_port=$POOL_PORT ;;
    *) die "$name is none of jobmanager, taskmanager1, pool1, ..." ;;
  esac
}

stop() {
  local name=$1 pid
  pid=$(cat "$FLINK_DIR/pids/$name" 2>/dev/null) || return 0
  if running "$name"; then
    kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.1; done
  fi
  # A leader that was killed leaves its group behind; a group of somebody else's is not touched.
  if pgrep -g "$pid" -f "SdkHarness|worker_pool_main|$FLINK_DIR/conf" >/dev/null; then
    kill -9 -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$FLINK_DIR/pids/$name"
}

network() {
  [ $ISOLATED = yes ] || return 0
  ip link show "$BRIDGE" >/dev/null 2>&1 || {
    ip link add "$BRIDGE" type bridge && ip addr add "$MASTER/24" dev "$BRIDGE" && ip link set "$BRIDGE" up; }
  for i in $(seq "$TASKMANAGERS"); do
    local ns; ns=$(namespace "$i")
    [[ $(ip -n "$ns" route 2>/dev/null) == *"default via $MASTER"* ]] && continue
    ip netns del "$ns" 2>/dev/null || true
    ip link del "v$REST_PORT-$i" 2>/dev/null || true  # left behind when a process outlived its namespace
    ip netns add "$ns"
    ip link add "v$REST_PORT-$i" type veth peer name eth0 netns "$ns"
    ip link set "v$REST_PORT-$i" master "$BRIDGE" up
    ip -n "$ns" addr add "$NET.$((i + 1))/24" dev eth0
    ip -n "$ns" link set eth0 up
    ip -n "$ns" link set lo up
    ip -n "$ns" route add default via "$MASTER"
  done
}

remove_network() {
  [ $ISOLATED = yes ] || return 0
  ip netns list | sed -n "s/^\(btd$REST_PORT-[0-9]*\).*/\1/p" | while read -r ns; do ip netns del "$ns"; done
  ip link del "$BRIDGE" 2>/dev/null || true
}

names() {
  echo jobmanager
  for i in $(seq "$TASKMANAGERS"); do echo "pool$i"; echo "taskmanager$i"; done
}

answers() {  # the number of registered TaskManagers, nothing when the JobManager does not answer
  "$PYTHON" - "http://$MASTER:$REST_PORT/overview" <<'PY'
import json, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(json.load(opener.open(sys.argv[1], timeout=3))['taskmanagers'])
except OSError:
    pass
PY
}

wait_for_all() {
  for _ in $(seq 90); do
    [ "$(answers)" = "$TASKMANAGERS" ] && break
    for name in $(names); do
      running "$name" || { tail -5 "$FLINK_DIR/logs/$name.log" >&2; die "$name ended, see $FLINK_DIR/logs/$name.log"; }
    done
    sleep 1
  done
  [ "$(answers)" = "$TASKMANAGERS" ] || die "the cluster does not answer, see $FLINK_DIR/logs"
  for i in $(seq "$TASKMANAGERS"); do
    for _ in $(seq 60); do
      (inside "$i" bash -c "exec 3<>/dev/tcp/localhost/$POOL_PORT") 2>/dev/null && continue 2
      sleep 0.5
    done
    die "pool$i does not listen on port $POOL_PORT, see $FLINK_DIR/logs/pool$i.log"
  done
}

case ${1:-} in
  up)
    command -v java >/dev/null || die 'there is no java: install a Java 11 or 17 runtime'
    (cd / && "$PYTHON" -c 'import apache_beam, transforms, beam_pipelines') 2>/dev/null \
      || die "$PYTHON cannot import this package: pip install it there, or set PYTHON to the interpreter that has it"
    dist; configure; network
    for name in $(names); do start "$name"; done
    wait_for_all
    echo "Flink $VERSION answers at $MASTER:$REST_PORT: $TASKMANAGERS TaskManagers with $SLOTS slots and a pool each."
    echo "  python -m beam_pipelines.olmocr --runner=FlinkRunner --flink_master=$MASTER:$REST_PORT --output=FOLDER" ;;
  down)
    for name in $(ls "$FLINK_DIR/pids" 2>/dev/null | sort -r); do stop "$name"; done
    remove_network ;;
  status)
    for name in $(names); do
      if running "$name"; then echo "$name runs, process $(cat "$FLINK_DIR/pids/$name")"; else echo "$name does not run"; fi
    done
    echo "master $MASTER:$REST_PORT, TaskManagers registered: $(answers)" ;;
  start|stop) [ $# = 2 ] || die "$1 what? One of: $(names | xargs)"; "$1" "$2" ;;
  dist) dist ;;
  *) sed -n '2,/^set /p' "${BASH_SOURCE[0]}" | sed '/^set /d; s/^# \{0,1\}//'; exit 2 ;;
esac
