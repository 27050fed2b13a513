#!/usr/bin/env bash
# Packs what a GPU machine lacks that has PyTorch but reaches no package registry: the wheels of
# wheels.txt and the project's own into .gpu_wheels, and the data files into .gpu_data.
# Both travel there with the checkout; then benchmarks/gpu/run.sh runs the check.
#
#   HZAU_OMICS_DATA=FOLDER benchmarks/gpu/pack.sh
#
# PYTHON is the environment whose versions are packed; GPU_PYTHON is the version of Python there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

python=${PYTHON:-.venv/bin/python}
target=${GPU_PYTHON:-3.12}
data=${HZAU_OMICS_DATA:?"set it to the folder with the data files"}
wheels=.gpu_wheels
most_mib=60

rm -rf "$wheels" .gpu_data
mkdir -p "$wheels" .gpu_data
cp "$data/citeseq_pbmc10k_totalvi.h5mu" "$data/mnist_full.npz" .gpu_data/

mapfile -t names < <(grep -v '^#' "$here/wheels.txt")
mapfile -t packages < <("$python" - "${names[@]}" <<'P'
import sys
from importlib.metadata import version

print(*(f"{name}=={version(name)}" for name in sys.argv[1:]), sep="\n")
P
)
[[ ${#packages[@]} -eq ${#names[@]} ]] || { echo "error: install the project with its extras first" >&2; exit 1; }

# pip takes the numbers of platforms literally.
platforms=(--platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64)
for n in 35 34 31 28 27 24 17 12 5; do platforms+=(--platform "manylinux_2_${n}_x86_64"); done
fetch() {
    "$python" -m pip --disable-pip-version-check download -q --no-deps --only-binary=:all: \
        --python-version "$target" --implementation cp "${platforms[@]}" -d "$wheels" "$@"
}
build() { "$python" -m pip --disable-pip-version-check wheel -q --no-deps -w "$wheels" "$1"; }

if ! fetch "${packages[@]}" 2>/dev/null; then
    # At least one has no wheel and is built here.
    for package in "${packages[@]}"; do
        fetch "$package" 2>/dev/null || build "$package"
    done
fi
build .

mib=$(($(du -sk "$wheels" .gpu_data | awk '{s += $1} END {print s}') / 1024))
echo "$(find "$wheels" -name '*.whl' | wc -l) wheels and 2 data files: $mib MiB in $wheels and .gpu_data"
((mib < most_mib)) || { echo "error: more than $most_mib MiB" >&2; exit 1; }
