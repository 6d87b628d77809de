# Python, optimised with a profile of itself and at link time. Of Debian's changes, those that repair it are applied
# (*.patch and CVE-*) and those that fit it into Debian are not (the rest).
sh /src/unpack.sh python3.11 --skip-patches
cd /src/python3.11
grep -E '\.patch$|^CVE-' debian/patches/series | while read -r name; do patch -s -p1 <"debian/patches/$name"; done
# One of them has the XML parser use what only the core may see.
sed -i '1i #define Py_BUILD_CORE_MODULE 1' Modules/pyexpat.c
cp LICENSE Doc/license.rst /opt/licenses/python3.11/
./configure -q --prefix=/opt/python --enable-shared --enable-optimizations --with-lto --without-ensurepip \
    --without-readline --disable-test-modules --with-openssl=/opt/python --with-openssl-rpath=/opt/python/lib \
    CPPFLAGS=-I/opt/python/include LDFLAGS='-L/opt/python/lib -Wl,-rpath,/opt/python/lib' LIBS=-lm \
    LIBSQLITE3_CFLAGS=-I/opt/python/include LIBSQLITE3_LIBS='-L/opt/python/lib -lsqlite3' \
    ZLIB_CFLAGS=-I/opt/python/include ZLIB_LIBS='-L/opt/python/lib -lz' CFLAGS=-g0
# What the appliance is busy with, from the tests that Python itself is usually profiled with.
tests='-m test --pgo'
for name in bisect bytes collections dataclasses fstring functools generators hashlib heapq int json memoryview operator \
    ordered_dict re set sqlite3 struct; do
    tests="$tests test_$name"
done
make -s -j"$(nproc)" PROFILE_TASK="$tests"
make -s install
/opt/python/bin/python3.11 -c 'import bz2, ctypes, hashlib, lzma, pyexpat, sqlite3, ssl, zlib
assert sqlite3.sqlite_version_info >= (3, 46), sqlite3.sqlite_version
assert ssl.OPENSSL_VERSION_INFO >= (3, 5), ssl.OPENSSL_VERSION
assert zlib.ZLIB_RUNTIME_VERSION >= "1.3", zlib.ZLIB_RUNTIME_VERSION
hashlib.md5(b""), hashlib.sha512(b""), hashlib.scrypt(b"", salt=b"", n=2, r=8, p=1)'
cd /
rm -rf /src/python3.11
