"""What `panoptes classify` answers."""

import json
import subprocess
import tempfile


def classify(panoptes, dialect, texts):
    """The answers to each text, by line. Each is judged by itself: what one of them prepares, the next one of PostgreSQL forgets."""
    between = [json.dumps({"sql": "DISCARD ALL"})] if dialect == "postgres" else []
    with tempfile.TemporaryFile("w+") as lines:
        for text in texts:
            lines.writelines(line + "\n" for line in [json.dumps({"sql": text}), *between])
        lines.seek(0)
        out = subprocess.run([panoptes, "classify", "--dialect", dialect], stdin=lines, capture_output=True, check=True)
    answers = [[] for _ in texts]
    for line in out.stdout.decode().splitlines():
        answer = json.loads(line)
        place, own = divmod(answer["line"] - 1, 1 + len(between))
        if own == 0:
            answers[place].append(answer)
    return answers
