# The loopback port of a network without any other way out, connected to the proxy's socket, which is outside.
import socket
import sys
import threading


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        try:
            end.shutdown(how)
        except OSError:
            pass


def forward(client):
    proxy = socket.socket(socket.AF_UNIX)
    with client, proxy:
        try:
            proxy.connect("/run/cortex/proxy.sock")
        except OSError:
            return
        back = threading.Thread(target=copy, args=(proxy, client), daemon=True)
        back.start()
        copy(client, proxy)
        back.join()


listener = socket.create_server(("127.0.0.1", 3128), backlog=128)
print("ready", flush=True)
while True:
    threading.Thread(target=forward, args=(listener.accept()[0],), daemon=True).start()
