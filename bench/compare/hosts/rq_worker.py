"""A worker of RQ. Arguments: the socket of Redis, the class of the worker."""
import sys

import redis
import rq

if __name__ == "__main__":
    link = redis.Redis(unix_socket_path=sys.argv[1])
    kind = getattr(rq, sys.argv[2].rpartition(".")[2])
    kind(["jobs"], connection=link).work(logging_level="ERROR")
