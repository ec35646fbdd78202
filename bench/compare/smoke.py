import sys, os, time
sys.path.insert(0, "/tmp/compare/bench/compare")
import machine, peers
place = machine.Place(os.environ["B"], "/tmp/compare/bench/compare/out/load")
try:
    for kind in peers.PEERS:
        if len(sys.argv) > 1 and kind.name not in sys.argv[1:]: continue
        peer = kind()
        t=time.time()
        try:
            peer.start(place, 2)
            a = peer.echo(64, 1, 0.2); s=time.time()-t
            b = peer.echo(1024, 64, 0.2)
            c = peer.echo(1<<20, 1, 0.2) if peer.payload_bytes_max >= 1<<20 else {}
            n=len(peer.pids())
            print(f"{peer.name:22s} {s:.1f}s n={n} p50={a['p50_us']} {b['tasks']/b['seconds']:.0f}/s 1MiB={c.get('p50_us')}", flush=True)
        except Exception as e:
            print(peer.name, "FAILED", repr(e)[:300], flush=True)
            for f in os.listdir(peer.folder):
                if f.endswith(".log"): print(f, open(os.path.join(peer.folder,f)).read()[-600:])
        t=time.time(); peer.stop(); 
        if time.time()-t>2: print("slow stop", time.time()-t)
finally:
    place.end()
    print("left", machine.descendants(os.getpid()))
