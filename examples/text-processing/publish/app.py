"""The join: the three branches' results, in the order in which `Values` names them."""


def lambda_handler(event, context):
    mentions, links, readability = event
    return {"mentions": mentions, "links": links, "readability": readability}
