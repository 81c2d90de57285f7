import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'

/** For the processes of the conformance suite: the place is the URL. */
export const open = kafkaFromUrl
