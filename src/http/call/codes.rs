//! Which problems a call may answer.

use std::collections::BTreeSet;

use super::super::code::{Code, HttpCode};
use super::{Call, Key, Need};
use crate::domain::refusal::RefusalCode;

/// What may be wrong with a token.
const TOKEN: [HttpCode; 19] = [
    HttpCode::TokenMissing,
    HttpCode::AuthorizationRepeated,
    HttpCode::AuthorizationNotBearer,
    HttpCode::TokenTooLong,
    HttpCode::TokenMalformed,
    HttpCode::TokenCriticalHeader,
    HttpCode::TokenKeyUnknown,
    HttpCode::TokenAlgorithmNotAllowed,
    HttpCode::TokenSignatureInvalid,
    HttpCode::TokenExpired,
    HttpCode::TokenNotYetValid,
    HttpCode::TokenIssuerWrong,
    HttpCode::TokenAudienceWrong,
    HttpCode::TokenClaimMissing,
    HttpCode::TokenClaimInvalid,
    HttpCode::TokenSubjectInvalid,
    HttpCode::TokenMemberInvalid,
    HttpCode::TokenKeysUnavailable,
    HttpCode::TooManyFailedTokens,
];

/// What may be wrong with a body.
const BODY: [HttpCode; 6] = [
    HttpCode::MalformedJson,
    HttpCode::BodyTimeout,
    HttpCode::BodyTooLarge,
    HttpCode::UnsupportedMediaType,
    HttpCode::ContentEncodingUnsupported,
    HttpCode::ValidationFailed,
];

/// Why a read is not answered.
const READ: [HttpCode; 3] = [HttpCode::Busy, HttpCode::DatabaseUnavailable, HttpCode::Internal];

/// Why a command is not answered, besides [`READ`].
const COMMAND: [HttpCode; 3] = [HttpCode::ExpiredInQueue, HttpCode::ClockBehind, HttpCode::OutcomeUnknown];

/// What is no request that could be read.
const UNPARSED: [HttpCode; 3] = [HttpCode::MalformedRequest, HttpCode::RequestTimeout, HttpCode::HeadTooLarge];

impl Call {
    /// Every problem that it may answer: those that its row lists, and those that follow from what the row says
    /// otherwise.
    pub fn codes(&self) -> BTreeSet<Code> {
        let http = self.problems.iter().chain(self.follows().iter()).copied().map(Code::from).collect::<BTreeSet<_>>();
        let refusals = self.refusals.iter().copied().map(Code::from);
        // An id that no member can have is refused before the handler sees it.
        let member = self.places().any(|place| place == "id").then_some(RefusalCode::MemberNotFound.into());
        let key = (self.key != Key::None).then_some(RefusalCode::IdempotencyKeyConflict.into());
        http.into_iter().chain(refusals).chain(member).chain(key).collect()
    }

    fn follows(&self) -> Vec<HttpCode> {
        let mut codes = UNPARSED.to_vec();
        if self.need != Need::Nothing {
            // The calls of a member's token are counted whether it may make them or not.
            codes.extend(TOKEN.iter().chain(&[HttpCode::ScopeMissing, HttpCode::TooManyCalls]).chain(&READ));
        }
        if self.writes() {
            codes.push(HttpCode::ReadOnly);
        }
        if self.takes.is_some() {
            codes.extend(BODY);
        }
        if self.parameters().next().is_some() || self.key != Key::None {
            codes.push(HttpCode::InvalidParameter);
        }
        if self.key == Key::Required {
            codes.push(HttpCode::IdempotencyKeyRequired);
        }
        if self.key != Key::None {
            codes.extend(COMMAND);
        }
        codes
    }
}
