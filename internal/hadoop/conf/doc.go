// Package hadoopconf is a driver: it reads a Hadoop configuration directory the way Hadoop's own Configuration class does.
//
// What follows Hadoop: the order of the files (core-site, hdfs-site, yarn-site, mapred-site; the later one wins), final
// parameters, ${name}, ${env.NAME}, ${env.NAME-word} and ${env.NAME:-word} with at most 20 substitutions, xi:include with
// fallback, the old names of renamed keys, and the suffixes of durations and sizes. What does not: values are trimmed, and of
// Hadoop's own defaults only those of the keys that Weft uses are built in.
//
// Files are looked for on the search path that Hadoop's start scripts build: HADOOP_CONF_DIR and YARN_CONF_DIR (each file is
// taken from the first of the two that has it), else HADOOP_HOME/etc/hadoop, else /etc/hadoop/conf, else /etc/hadoop.
package hadoopconf
