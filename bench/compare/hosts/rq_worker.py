"""rq_worker.py REDIS CLASS: one worker."""
import sys

import redis
import rq

connection = redis.Redis(unix_socket_path=sys.argv[1])
worker_class = {"rq.Worker": rq.Worker, "rq.SimpleWorker": rq.SimpleWorker}[sys.argv[2]]
worker_class([rq.Queue(connection=connection)], connection=connection).work(logging_level="ERROR")
