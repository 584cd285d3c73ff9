// From URLs to sound and picture, and the sentences where that fails.

class Refused extends Error {
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

// The tracks as something that plays, ready to start.
async function soundOf({ tracks, loops, seconds, rate }, signal) {
  const urls = tracks.map((track) => track.url);
  if (seconds > DECODED_S) {
    const long = new Streamed(urls, { loops, rate });
    await long.loaded();
    return long;
  }
  const read = async (url) => readWav(await (await fetched(url, signal)).arrayBuffer());
  return new Decoded(buffersOf(await Promise.all(urls.map(read)), loops), loops);
}

async function fetched(url, signal) {
  const answer = await fetch(url, { credentials: "same-origin", signal });
  if (!answer.ok) throw new Refused(answer.status);
  return answer;
}

// Why it failed, and what to do next.
function reasonOf(error) {
  if (error instanceof Unreadable) return `${error.message}. Make the piece again.`;
  if (!(error instanceof Refused)) {
    return "the server does not answer. See that it runs, then try again.";
  }
  if (error.status === 404 || error.status === 410) {
    return (
      "it is not on the server any more. " +
      "Reload the page; if that does not help, make it again."
    );
  }
  if (error.status === 401 || error.status === 403) {
    return "this browser may not have it. Reload the page.";
  }
  return `the server answers with error ${error.status}. Try again; its log says more.`;
}
