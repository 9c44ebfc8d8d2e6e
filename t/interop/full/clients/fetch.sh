#!/bin/bash
# fetch.sh: puts the pinned clients of one kind into the cache.
#
#   fetch.sh pip|npm|go     download once; prints the directory, which has
#                           bin/python3; node and node_modules/; go.mod and go.sum
#
# Versions are in the file versions. The directory's name has their checksum; it
# appears complete or not at all (made beside it, then renamed). pip, npm and go
# find their registries by their own configuration.
# Exit: 0 there; 69 it cannot be had now (one line on stderr says why).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kind=$1

# wanted SEPARATOR: PACKAGE SEPARATOR VERSION of each line of this kind.
wanted()
{
	local arch
	case $(uname -m) in
	aarch64) arch=arm64 ;;
	*) arch=x64 ;;
	esac
	awk -v kind="$kind" -v with="$1" '$1 == kind { print $2 with $3 }' "$here/versions" | sed "s/ARCH/$arch/"
}

cannot()
{
	echo "fetch: $1" >&2
	exit 69
}

needs()
{
	command -v "$1" >/dev/null || cannot "$1 is not installed (package $2)"
}

pip_install()
{
	needs python3 python3-venv
	python3 -m venv "$1" &&
		"$1/bin/python3" -m pip install -q --disable-pip-version-check --only-binary=:all: "${packages[@]}"
}

npm_install()
{
	needs npm npm
	cd "$1" &&
		printf '{"private": true}\n' >package.json &&
		npm install --ignore-scripts --no-package-lock --no-audit --no-fund "${packages[@]}" &&
		ln -s node_modules/node-linux-*/bin/node node
}

go_install()
{
	needs go golang-go
	cd "$1" && go mod init mq/franz && go get "${packages[@]}"
}

case $kind in
pip) mapfile -t packages < <(wanted "==") ;;
npm) mapfile -t packages < <(wanted "@") ;;
go) mapfile -t packages < <(wanted "@v") ;;
esac
dir=${MQ_CACHE:-$HOME/.cache/mq}/clients-$kind-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c 1-8)
if [ ! -d "$dir" ]; then
	mkdir -p "$(dirname "$dir")"
	tmp=$(mktemp -d "$dir.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	("${kind}_install" "$tmp") >"$dir.log" 2>&1 || cannot "cannot download ${packages[*]}: see $dir.log"
	# mv -T onto a directory that another run has put there meanwhile fails: as good.
	mv -T "$tmp" "$dir" 2>/dev/null || [ -d "$dir" ]
	rm -f "$dir.log"
fi
printf '%s\n' "$dir"
