"""Fan-in of the outer map. Its `Values` also name World, so the first value is World's list."""


def lambda_handler(event, context):
    countries, *sums = event
    return {
        "countries": [
            {"name": country["name"], **total} for country, total in zip(countries, sums)
        ],
        "total": sum(total["total"] for total in sums),
    }
