"""The peers. One row each; the first is what all others are divided by."""
from . import bullmq, celery_peer, gearman, beanstalk, nats, node_pools, processes, python_pools, redis_lists, rq_peer, warmpool_peer

PEERS = [*warmpool_peer.PEERS, *redis_lists.PEERS, *nats.PEERS, *gearman.PEERS, *beanstalk.PEERS, *python_pools.PEERS,
         *celery_peer.PEERS, *rq_peer.PEERS, *node_pools.PEERS, *bullmq.PEERS, *processes.PEERS]
