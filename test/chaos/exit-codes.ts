/** Of a consumer that could not start. */
export const couldNotStart = 75
