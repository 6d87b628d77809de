#!/bin/sh
# old_root.sh ROOT: make a Debian 11 root with a Python 3.11 in /opt/python, so that what is frozen there needs no newer
# glibc than 2.31. Needs to be root, with debootstrap. Made once: the stamp in the root says that it is complete.
#
# Python and SQLite come from Debian 12's source packages. Of Debian's changes to Python, those that repair it are
# applied (*.patch and CVE-*) and those that fit it into Debian are not (the rest).
set -eu
root=$1
stamp=$root/opt/python/.complete
recipe=$(sha256sum "$0" | cut -d' ' -f1)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$recipe" ]; then exit 0; fi

echo "making a Debian 11 root in $root (about three minutes, kept for the next build)"
rm -rf "$root"
mkdir -p "$root"
log=$root.log
tools=gcc,make,libc6-dev,zlib1g-dev,libffi-dev,libssl-dev,liblzma-dev,libbz2-dev,binutils,dpkg-dev,tcl
if ! debootstrap --variant=minbase --include="$tools" bullseye "$root" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    exit 1
fi

cat >"$root/make-python.sh" <<'EOF'
set -eu
export LC_ALL=C TZ=UTC DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=1700000000
sources=/etc/apt/sources.list
sed -n 's/^deb \(.*\) bullseye main$/deb-src \1 bookworm main/p' $sources >$sources.d/newer.list
apt-get -q update
mkdir -p /src
cd /src
apt-get -q source --download-only python3.11 sqlite3

dpkg-source --no-check -x sqlite3_*.dsc sqlite
cd sqlite
./configure -q --prefix=/opt/python --disable-tcl --disable-shared --with-pic CFLAGS='-O2 -g0'
make -s -j"$(nproc)"
make -s install

cd /src
dpkg-source --no-check --skip-patches -x python3.11_*.dsc python
cd python
grep -E '\.patch$|^CVE-' debian/patches/series | while read -r name; do patch -s -p1 <"debian/patches/$name"; done
# One of them has the XML parser use what only the core may see.
sed -i '1i #define Py_BUILD_CORE_MODULE 1' Modules/pyexpat.c
./configure -q --prefix=/opt/python --enable-shared --without-ensurepip --disable-test-modules \
    LIBS=-lm LIBSQLITE3_CFLAGS=-I/opt/python/include LIBSQLITE3_LIBS='-L/opt/python/lib -lsqlite3' \
    LDFLAGS=-Wl,-rpath,/opt/python/lib CFLAGS='-O2 -g0'
make -s -j"$(nproc)"
make -s install
/opt/python/bin/python3.11 -c 'import bz2, ctypes, hashlib, lzma, pyexpat, sqlite3, ssl, zlib
assert sqlite3.sqlite_version_info >= (3, 40), sqlite3.sqlite_version'
cd /
rm -rf /src
EOF
if ! chroot "$root" sh /make-python.sh >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
echo "$recipe" >"$stamp"
