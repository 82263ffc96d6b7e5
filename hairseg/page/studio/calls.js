/** Calls of the server: answers that never come are asked for again, and only the latest request is worked on. */

export const RETRY_MS = 3000;

export const LOST = "The server does not answer. Check the connection; the page tries again by itself.";

export const LOGGED_OUT = "You are no longer logged in. Reload the page and log in again.";

/**
 * Return the notice for a call without an answer. A login is not valid after a restart, or at another replica.
 *
 * @param {string} api address of Gradio's routes
 */
export async function reasonOfLoss(api) {
    const answer = await fetch(`${api}/login_check`).catch(() => null);
    return answer?.status === 401 ? LOGGED_OUT : LOST;
}

/** @param {number} ms */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/**
 * Repeat a call until it is answered. Gradio resolves a call that failed with undefined.
 *
 * @template T
 * @param {() => Promise<T | undefined>} call
 * @param {{isWanted: () => boolean, onLost: () => unknown, onReached: () => void, retryMs?: number}} options
 * @returns {Promise<T | undefined>} undefined once the answer is not wanted any more
 */
export async function callUntilAnswered(call, {isWanted, onLost, onReached, retryMs = RETRY_MS}) {
    for (let isLost = false; isWanted(); ) {
        const answer = await call().catch(() => undefined);
        if (answer !== undefined) {
            if (isLost) onReached();
            return isWanted() ? answer : undefined;
        }
        isLost = true;
        if (isWanted()) await onLost();
        await pause(retryMs);
    }
    return undefined;
}

/**
 * Run an asynchronous function one call at a time. Calls made while it runs are merged into one that follows.
 *
 * @param {() => Promise<void>} run
 * @returns {() => Promise<void>}
 */
export function latestOnly(run) {
    let isRunning = false,
        isAskedAgain = false;
    return async () => {
        isAskedAgain = true;
        if (isRunning) return;
        isRunning = true;
        try {
            while (isAskedAgain) {
                isAskedAgain = false;
                await run();
            }
        } finally {
            isRunning = false;
        }
    };
}
