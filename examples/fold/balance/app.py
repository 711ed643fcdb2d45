"""One step of the fold: the step before (none for the first page) and this page, in order.

Interest is rounded down on each page, so another order of the pages would give another balance.
"""


def lambda_handler(event, context):
    *before, page = event
    balance, history = (before[0]["balance"], before[0]["history"]) if before else (0, [])
    balance += page["net"]
    balance += balance * page["percent"] // 100
    return {"balance": balance, "history": history + [balance]}
