"""DynamoDB Local, the service's own stand-in: in memory, or with a file that survives a kill."""

from servers import install, versions
from servers.process import Server, answers_http


class DynamoDb(Server):
    """`database`: a folder for its file."""

    name = "DynamoDB Local"

    def __init__(self, directory, database=None):
        super().__init__(directory)
        self.database = database
        self.java = self.jars = ""

    def install(self):
        self.java = install.required("java", "default-jre-headless")
        self.jars = install.maven_jars("com.amazonaws", "DynamoDBLocal", versions.DYNAMODB_LOCAL,
                                       "dynamodb-local")

    def command(self):
        # One compiler tier and the simplest collector: it starts in 3 s instead of 4 and leaves the cores to
        # the tests.
        return [self.java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Djava.library.path={self.jars}", "-cp", f"{self.jars}/*",
                "com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-sharedDb", "-disableTelemetry",
                "-port", str(self.port), *(["-dbPath", self.database] if self.database else ["-inMemory"])]

    def is_ready(self):
        return answers_http(self.port)

    def variables(self):
        return {"UNUM_TEST_DYNAMODB": f"http://{self.address}"}
