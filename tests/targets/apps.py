# SPDX-License-Identifier: Apache-2.0
"""Real applications that stand still in the middle of their work: flask, a
web application with a database; pandas, a job; aiohttp, a service. Each says
"ready" when it is in a handler and waits for the end of its standard input."""

import sys


def wait():
    print("ready", flush=True)
    sys.stdin.read()


def flask():
    import sqlite3

    from flask import Flask, g, jsonify, request

    app = Flask("shop")
    app.config["ITEMS"] = 50

    def database():
        if "db" not in g:
            g.db = sqlite3.connect(":memory:")
            g.db.row_factory = sqlite3.Row
            g.db.execute("create table orders (id integer primary key, name text, price real)")
            g.db.executemany(
                "insert into orders (name, price) values (?, ?)",
                [("order %d" % i, i * 1.25) for i in range(50)],
            )
        return g.db

    @app.route("/orders/<int:most>")
    def orders(most):
        rows = database().execute("select * from orders limit ?", (most,)).fetchall()
        total = sum(row["price"] for row in rows)
        agent = request.headers.get("User-Agent")
        wait()
        return jsonify(count=len(rows), total=total, agent=agent)

    client = app.test_client()
    assert client.get("/orders/20").get_json()["count"] == 20


def pandas():
    import numpy as np
    import pandas as pd

    rng = np.random.RandomState(7)
    days = pd.date_range("2024-01-01", periods=500, freq="h")
    sales = pd.DataFrame({
        "when": rng.choice(days, 2000),
        "shop": pd.Categorical(rng.choice(["north", "south", "west"], 2000)),
        "units": rng.randint(1, 20, 2000),
        "price": rng.uniform(1, 90, 2000).round(2),
        "note": ["n%d" % i for i in range(2000)],
    })  # fmt: skip
    sales["total"] = sales["units"] * sales["price"]

    def report(frame):
        daily = frame.set_index("when").sort_index()["total"].resample("D").sum()
        by_shop = frame.groupby("shop", observed=True)["total"].agg(["sum", "mean", "count"])
        top = frame.nlargest(5, "total")
        wait()
        return daily, by_shop, top

    report(sales)


def aiohttp():
    import asyncio

    from aiohttp import ClientSession, web

    async def main():
        seen, queue = [], asyncio.Queue()

        async def handle(request):
            await queue.put(request.query.get("n"))
            seen.append(request.path)
            if len(seen) == 3:
                wait()
            return web.json_response({"seen": len(seen)})

        async def worker():
            while True:
                await queue.get()

        app = web.Application()
        app.router.add_get("/count", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        task = asyncio.create_task(worker(), name="worker")
        async with ClientSession() as session:
            urls = ["http://127.0.0.1:%d/count?n=%d" % (port, n) for n in range(3)]
            for answer in await asyncio.gather(*(session.get(url) for url in urls)):
                await answer.json()
        task.cancel()
        await runner.cleanup()

    asyncio.run(main())


if __name__ == "__main__":
    {"flask": flask, "pandas": pandas, "aiohttp": aiohttp}[sys.argv[1]]()
