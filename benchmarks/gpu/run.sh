#!/usr/bin/env bash
# Checks the package on a GPU machine that reaches no package registry, with what pack.sh packed.
#
#   benchmarks/gpu/run.sh [OPTIONS of python -m benchmarks.gpu]
#
# PYTHON is an interpreter there that has PyTorch; results and the log go to OUT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-python3}
out=${OUT:-benchmarks/out/gpu}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
"$python" -m pip --disable-pip-version-check install -q --no-index --no-deps --no-compile \
    --no-cache-dir --target "$site" .gpu_wheels/*.whl

# The checkout comes first: of the project's own wheel only the version is read.
export PYTHONPATH="$PWD:$site" PYTHONUNBUFFERED=1 HZAU_OMICS_DATA="$PWD/.gpu_data"
mkdir -p "$out"
"$python" -m benchmarks.gpu --out "$out" "$@" 2>&1 | tee "$out/gpu.log"
