#!/bin/sh
# Runs the tests that draw random operations and kills with a new seed, and prints it. Give PNX_VOLUME_TEST_SEED to run
# one again, and PNX_VOLUME_TEST_OPERATIONS for longer runs.
set -eu
cd "$(dirname "$0")/../../.."
PNX_VOLUME_TEST_SEED=${PNX_VOLUME_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
export PNX_VOLUME_TEST_SEED
echo "PNX_VOLUME_TEST_SEED=$PNX_VOLUME_TEST_SEED"
npm run --silent build
exec ava 'test/end-to-end/reference/*.ts' 'test/end-to-end/storm/*.ts' "$@"
