//! What the cache remembers, and that it never accepts what the verifier would not.

use crate::{CANARY, NOW, claims, issuer, rng, verifier};
use scruple_core::Timestamp;
use scruple_identity::{
    Issuer, Parties, REVOKED_MAX, RevocationsFull, TOKEN_BYTES_MAX, TOKENS_CACHED_MAX, TokenCache, TokenError, Verifier,
};
use std::sync::Arc;

fn token(issuer: &Issuer, seed: u64) -> String {
    issuer.issue(&claims(), NOW, &mut rng(seed)).unwrap()
}

#[test]
fn a_second_look_gives_the_same_token_until_it_expires() {
    let issuer = issuer(1);
    let (verifier, cache, text) = (verifier(&issuer), TokenCache::new(), token(&issuer, 2));
    let first = cache.verify_cached(&verifier, &text, NOW).unwrap();
    let last = NOW.plus_micros(305_000_000 - 1);
    assert!(Arc::ptr_eq(&first, &cache.verify_cached(&verifier, &text, last).unwrap()));
    assert_eq!(cache.held(), 1);
    let end = last.plus_micros(1);
    assert_eq!(cache.verify_cached(&verifier, &text, end), Err(TokenError::Expired));
    assert_eq!(cache.held(), 0);
    assert_eq!(cache.verify_cached(&verifier, &text, end), Err(TokenError::Expired));
    assert_eq!(cache.held(), 0, "a refused token is not kept");
}

#[test]
fn a_clock_that_goes_back_is_noticed_in_the_cache_too() {
    let issuer = issuer(1);
    let (verifier, cache, text) = (verifier(&issuer), TokenCache::new(), token(&issuer, 2));
    cache.verify_cached(&verifier, &text, NOW).unwrap();
    assert_eq!(cache.verify_cached(&verifier, &text, NOW.plus_micros(-5_000_001)), Err(TokenError::NotYet));
}

#[test]
fn a_revoked_token_is_refused_whether_known_or_not() {
    let issuer = issuer(1);
    let (verifier, cache, text) = (verifier(&issuer), TokenCache::new(), token(&issuer, 2));
    let known = cache.verify_cached(&verifier, &text, NOW).unwrap();
    cache.revoke(known.jti(), known.expires_at(), NOW).unwrap();
    assert_eq!(cache.verify_cached(&verifier, &text, NOW), Err(TokenError::Revoked));
    cache.clear();
    assert_eq!(cache.held(), 0);
    assert_eq!(cache.verify_cached(&verifier, &text, NOW), Err(TokenError::Revoked));
    assert_eq!(cache.held(), 0, "a revoked token is not kept");
    assert!(cache.verify_cached(&verifier, &token(&issuer, 3), NOW).is_ok());
}

#[test]
fn a_revocation_outlasts_its_token_and_then_makes_room() {
    let issuer = issuer(1);
    let (verifier, cache, text) = (verifier(&issuer), TokenCache::with_limits(16, 2), token(&issuer, 2));
    let read = verifier.verify(&text, NOW).unwrap();
    cache.revoke(read.jti(), read.expires_at(), NOW).unwrap();
    cache.revoke("other", Timestamp::from_micros(i64::MAX), NOW).unwrap();
    cache.revoke(read.jti(), NOW, NOW).unwrap();
    // The token is still good for the leeway, and its revocation must not give way before.
    let in_leeway = read.expires_at().plus_micros(4_999_999);
    assert_eq!(cache.revoke("third", in_leeway, in_leeway), Err(RevocationsFull));
    assert_eq!(cache.verify_cached(&verifier, &text, in_leeway), Err(TokenError::Revoked));
    let long_after = read.expires_at().plus_micros(60_000_000);
    assert_eq!(cache.revoke("third", long_after, long_after), Ok(()));
    assert_eq!(cache.revoke(&"j".repeat(300), long_after, long_after), Ok(()), "no token can have that `jti`");
}

#[test]
fn other_keys_and_names_do_not_meet_old_entries() {
    let (old, new) = (issuer(1), issuer(2));
    let (cache, text) = (TokenCache::new(), token(&old, 3));
    cache.verify_cached(&verifier(&old), &text, NOW).unwrap();
    assert_eq!(cache.verify_cached(&verifier(&new), &text, NOW), Err(TokenError::KeyUnknown));
    let elsewhere = |issuer: &str, audience: &str| {
        let parties = Parties { issuer: issuer.to_owned(), audience: audience.to_owned() };
        cache.verify_cached(&Verifier::new(old.jwks(), parties, 5).unwrap(), &text, NOW)
    };
    assert!(elsewhere("https://idp.example", "https://gateway.example/fhir").is_ok());
    assert_eq!(elsewhere("https://idp.example", "https://gateway.example/fhir/"), Err(TokenError::Audience));
    assert_eq!(elsewhere("https://idp.exampleh", "ttps://gateway.example/fhir"), Err(TokenError::Issuer));
}

#[test]
fn a_full_cache_drops_what_expired_first_and_never_grows() {
    let issuer = issuer(1);
    let (verifier, cache) = (verifier(&issuer), TokenCache::with_limits(64, 1));
    let texts: Vec<_> = (0..200).map(|seed| token(&issuer, seed)).collect();
    for text in &texts {
        cache.verify_cached(&verifier, text, NOW).unwrap();
        assert!(cache.held() <= 64);
    }
    assert!(cache.held() >= 32, "{}", cache.held());
    for text in &texts {
        assert!(cache.verify_cached(&verifier, text, NOW).is_ok(), "dropped is verified again");
    }
    // Two fit in a shard: where the new one comes to, both old ones have expired and go.
    let (cache, later) = (TokenCache::with_limits(32, 1), NOW.plus_micros(3_600_000_000));
    for seed in 0..400 {
        cache.verify_cached(&verifier, &token(&issuer, seed), NOW).unwrap();
    }
    let fresh = issuer.issue(&claims(), later, &mut rng(1)).unwrap();
    assert_eq!(cache.held(), 32);
    let kept = cache.verify_cached(&verifier, &fresh, later).unwrap();
    assert_eq!(cache.held(), 31);
    assert!(Arc::ptr_eq(&kept, &cache.verify_cached(&verifier, &fresh, later).unwrap()));
    assert!(TOKENS_CACHED_MAX.is_multiple_of(16) && REVOKED_MAX > TOKENS_CACHED_MAX);
}

#[test]
fn what_is_too_long_is_not_even_hashed() {
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    let cache = TokenCache::new();
    assert_eq!(cache.verify_cached(&verifier(&issuer(1)), &long, NOW), Err(TokenError::TooLong));
}

#[test]
fn threads_share_it_while_tokens_are_revoked_and_forgotten() {
    let issuer = issuer(1);
    let (verifier, cache) = (verifier(&issuer), TokenCache::with_limits(32, 100));
    let texts: Vec<_> = (0..40).map(|seed| token(&issuer, seed)).collect();
    let jtis: Vec<_> = texts.iter().map(|text| verifier.verify(text, NOW).unwrap().jti().to_owned()).collect();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (cache, verifier, texts, jtis) = (&cache, &verifier, &texts, &jtis);
            scope.spawn(move || {
                for round in 0..200 {
                    let at = (round * 7 + worker * 11) % texts.len();
                    match cache.verify_cached(verifier, &texts[at], NOW) {
                        Ok(token) => assert_eq!(token.jti(), jtis[at]),
                        Err(refused) => assert_eq!((refused, at % 4), (TokenError::Revoked, 0)),
                    }
                    if worker == 0 && at.is_multiple_of(4) {
                        cache.revoke(&jtis[at], NOW, NOW).unwrap();
                        assert_eq!(cache.verify_cached(verifier, &texts[at], NOW), Err(TokenError::Revoked));
                    }
                    if worker == 1 && round % 50 == 0 {
                        cache.clear();
                    }
                    assert!(cache.held() <= 32);
                }
            });
        }
    });
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(cache.verify_cached(&verifier, text, NOW).is_err(), at.is_multiple_of(4));
    }
}

#[test]
fn it_prints_no_token() {
    let issuer = issuer(1);
    let (verifier, cache, text) = (verifier(&issuer), TokenCache::new(), token(&issuer, 2));
    let read = cache.verify_cached(&verifier, &text, NOW).unwrap();
    cache.revoke(read.jti(), NOW, NOW).unwrap();
    let printed = format!("{cache:?} {read:?} {verifier:?} {issuer:?} {:?}", claims());
    assert!(!printed.contains(CANARY) && !printed.contains(read.jti()), "{printed}");
    for part in text.split('.') {
        assert!(!printed.contains(part));
    }
}
