"""Real servers for the tests: each on loopback, on free ports of its own, in a scratch directory.

versions.py      what is installed, in which version
install.py       finds tools, or installs them to the cache for this run and the next
process.py       Server: start, wait until it answers, kill, start again on the same port
redis.py, dynamodb.py, s3.py, aws.py, nginx.py, certificates.py   one server each

with-servers.py starts all of them around a command. A test that kills its server starts one of its own:

    with running(Redis(directory, appendfsync="always")) as redis: ...
"""
