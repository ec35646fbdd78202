"""beanstalkd: a tube of jobs, a tube of results."""
import os

from .common import Broker


class Beanstalkd(Broker):
    name, wire = "beanstalkd", "beanstalkd"
    packages = programs = ("beanstalkd",)
    durable_note = "-b, -f0: a sync for each write"
    note = "a worker takes one job at a time: a connection that waits for a job hears nothing else"

    def serve(self, place, durable):
        address = os.path.join(self.folder, "b.sock")
        log = ["-b", self.folder, "-f0"] if durable else []
        self.server(["beanstalkd", "-l", f"unix:{address}", "-z", str(1 << 30), *log], address)
        return address


PEERS = [Beanstalkd]
