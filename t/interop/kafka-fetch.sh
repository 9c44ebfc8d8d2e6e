#!/bin/bash
# kafka-fetch.sh: puts the jars of the pinned Apache Kafka into the cache.
#
#   t/interop/kafka-fetch.sh        download once; silent when already there
#
# They lie in ${MQ_CACHE:-~/.cache/mq}/kafka-VERSION/jars; the directory appears
# complete or not at all (downloaded beside it, then renamed), so several runs
# at once do no harm. Maven finds its repositories by its own configuration.
# Exit: 0 there; 69 it cannot be had now (one line on stderr says why).
set -euo pipefail
# shellcheck source=t/interop/kafka.sh
. "$(dirname "${BASH_SOURCE[0]}")/kafka.sh"

[ ! -d "$KAFKA_HOME/jars" ] || exit 0

command -v mvn >/dev/null || { echo "kafka-fetch: mvn is not installed (package maven)" >&2; exit 69; }
mkdir -p "$(dirname "$KAFKA_HOME")"
tmp=$(mktemp -d "$KAFKA_HOME.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>mq</groupId><artifactId>kafka</artifactId><version>$KAFKA_VERSION</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-shell</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM

if ! mvn -B -q -f "$tmp/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
	-DoutputDirectory="$tmp/jars" >"$KAFKA_HOME.log" 2>&1; then
	echo "kafka-fetch: cannot download Apache Kafka $KAFKA_VERSION: offline, or no repository has it (see $KAFKA_HOME.log)" >&2
	exit 69
fi
rm -f "$KAFKA_HOME.log"
# mv -T onto a directory that another run has put there meanwhile fails: as good.
mv -T "$tmp" "$KAFKA_HOME" 2>/dev/null || [ -d "$KAFKA_HOME/jars" ]
