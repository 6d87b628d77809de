# The small libraries that Python's modules need, to be linked into those modules.
export CFLAGS='-O2 -g0 -fPIC'
sh /src/unpack.sh zlib
cd /src/zlib
# Hidden: the executable's own loader brings the system's libz.so.1, and symbols of the same names would come first.
CFLAGS="$CFLAGS -fvisibility=hidden" ./configure --prefix=/opt/python --static
make -s -j"$(nproc)" libz.a
make -s install

sh /src/unpack.sh xz-utils
cd /src/xz-utils
./configure -q --prefix=/opt/python --disable-shared --with-pic --disable-xz --disable-xzdec --disable-lzmadec \
    --disable-lzmainfo --disable-scripts --disable-doc --disable-nls
make -s -j"$(nproc)"
make -s install
cd /
rm -rf /src/zlib /src/xz-utils

# These two are Debian 11's own: bzip2 is the newest there is, and libffi is not shown what comes from outside.
apt-get -q install -y --no-install-recommends libbz2-dev libffi-dev
