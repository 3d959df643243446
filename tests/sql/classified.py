"""What `panoptes classify` answers."""

import json
import subprocess
import tempfile


def classify(panoptes, dialect, texts):
    """The answers to each text, by line."""
    with tempfile.TemporaryFile("w+") as lines:
        for text in texts:
            lines.write(json.dumps({"sql": text}) + "\n")
        lines.seek(0)
        out = subprocess.run([panoptes, "classify", "--dialect", dialect], stdin=lines, capture_output=True, check=True)
    answers = [[] for _ in texts]
    for line in out.stdout.decode().splitlines():
        answer = json.loads(line)
        answers[answer["line"] - 1].append(answer)
    return answers
