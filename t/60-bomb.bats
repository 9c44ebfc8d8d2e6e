# Decompression bombs: a batch of about a megabyte that would be two gigabytes.
# runs: plain

setup() {
	load lib/tools.bash
	fresh_store
}

# bomb OFFSET: a gzip batch of 32 records with 64 MiB of zeros each, sealed.
bomb() {
	python3 - "$1" <<'END'
import struct
import sys
import zlib

SIZE, COUNT = 64 << 20, 32


def gzip(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def varint(n):
    n <<= 1
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


# Members in a row make one stream: the zeros are compressed once.
zeros = gzip(bytes(SIZE + 1))
records = b""
for i in range(COUNT):
    head = b"\0\0" + varint(i) + b"\1" + varint(SIZE)
    records += gzip(varint(len(head) + SIZE + 1) + head) + zeros
body = struct.pack(">hiqqqhii", 1, COUNT - 1, 5, 5, -1, -1, -1, COUNT) + records
sys.stdout.buffer.write(struct.pack(">qiibI", int(sys.argv[1]), len(body) + 9, 0, 2, crc32c(body)))
sys.stdout.buffer.write(body)
END
}

@test "a decompression bomb is stopped at its limit, and said" {
	echo first | mq-produce -t t
	bomb 1 >>store/t-0/00000000000000000000.log
	limit='more than 1073741824 bytes once decompressed'

	# Small enough to lie in wait: a thousandth of what it would be.
	[ "$(stat -c %s store/t-0/00000000000000000000.log)" -lt 3000000 ]

	# Nothing of it is taken for good by a check,
	try 1 mq-dump-log --verify store/t-0/00000000000000000000.log
	[[ $output == *bad*why=records*"$limit"* ]]

	# a dump goes on past it within bounded memory,
	(ulimit -v 1000000; mq-dump-log --records store/t-0 >dump) || [ $? -eq 1 ]
	grep -q "$limit" dump

	# and a consumer gets what lies before, then an error.
	mq-consume -t t -e -f '%o %S\n' >out 2>err && false
	[ "$(head -1 out)" = '0 5' ]
	[ "$(wc -l <out)" -le 17 ]
	grep -q "$limit" err
}
