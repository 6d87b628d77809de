# Fetch the sources: the newest that Debian 12 and 13 have, their security updates included. apt checks the signatures.
list=/etc/apt/sources.list
mirror=$(sed -n 's/^deb \(.*\) bullseye main$/\1/p' $list)
for suite in bookworm trixie; do
    echo "deb-src $mirror $suite main"
    echo "deb-src $mirror-security $suite-security main"
done >$list.d/newer.list
# Debian 11 has Debian 12's signing keys, and Debian 13 is signed with those too.
apt-get -q update
rm -rf /src
mkdir /src
cd /src
for name in openssl python3.11 sqlite3 xz-utils zlib; do
    # A mirror may list what it does not have yet; then the version before that.
    got=
    for version in $(apt-cache showsrc "$name" | sed -n 's/^Version: //p' | sort -rV); do
        if apt-get -q source --download-only "$name=$version"; then got=$version; break; fi
        rm -f "$name"_*
    done
    if [ -z "$got" ]; then echo "no source of $name can be fetched"; exit 1; fi
    echo "$name $got"
done

cat >/src/unpack.sh <<'END'
# unpack.sh NAME [OPTION...]: lay out the sources of a package in /src/NAME, and its licence with its version beside it.
set -eu
name=$1
shift
rm -rf "/src/$name"
dpkg-source --no-check "$@" -x /src/"$name"_*.dsc "/src/$name"
mkdir -p "/opt/licenses/$name"
cp "/src/$name/debian/copyright" "/opt/licenses/$name/copyright"
sed -n 's/^Version: \([0-9]*:\)\{0,1\}//p' /src/"$name"_*.dsc | head -n 1 >"/opt/licenses/$name/version"
END
